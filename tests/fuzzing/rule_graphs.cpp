// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzzing/rule_graphs.h"

#include <algorithm>
#include <numeric>

namespace sinter::fuzzing {

Tensor float_tensor(DType type, Dims dims, const std::function<double()>& next) {
  Tensor t(DType::f64, std::move(dims));
  for (double& v : t.mutable_data<double>()) v = next();
  return convert(t, type);
}

Gen::Gen(u64 seed) : rng(seed * 0x9E3779B97F4A7C15u + 1) {
  const i64 choice = below(20);
  type = choice < 10   ? DType::f32
         : choice < 18 ? DType::f64
         : choice < 19 ? DType::f16
                       : DType::bf16;
  graph.info.opset = one_of<i64>({11, 13, 17, 17, 17, 18, 20, 21});
}

std::vector<i64> Gen::permutation(i64 n) {
  std::vector<i64> p(static_cast<size_t>(n));
  std::iota(p.begin(), p.end(), 0);
  for (i64 i = n; i > 1; --i) std::swap(p[size_t(i - 1)], p[size_t(below(i))]);
  return p;
}

ValueId Gen::pick(i64 rank, std::vector<i64> numbers) {
  std::vector<ValueId> fit;
  for (ValueId v : pool_) {
    const auto& shape = graph.shape(v);
    if (graph.dtype(v) != type || !shape || shape->empty() ||
        (rank >= 0 && std::ssize(*shape) != rank))
      continue;
    bool good = true;
    for (i64 a : numbers) good = good && a < std::ssize(*shape) && (*shape)[size_t(a)].value();
    if (good) fit.push_back(v);
  }
  const bool fresh = main_inputs_ < 3 && (fit.empty() || coin(8));
  if (!fit.empty() && !fresh) {
    // Recent ones more often: chains are where rules meet.
    const i64 n = std::ssize(fit);
    return fit[size_t(coin() ? n - 1 : below(n))];
  }
  require(fresh || main_inputs_ < 5, ErrorKind::bad_input, "no value fits");
  ++main_inputs_;
  Shape shape;
  const i64 r = rank >= 0 ? rank : between(1, 4);
  const std::string symbols[] = {"n", "c", "h", "w", "d"};
  for (i64 a = 0; a < r; ++a) {
    const bool is_number = std::find(numbers.begin(), numbers.end(), a) != numbers.end();
    if (!is_number && coin(a == 0 ? 3 : 12))
      shape.push_back(Dim::symbol(symbols[a]));
    else
      shape.push_back(a >= 2 ? between(coin(4) ? 1 : 3, 5) : one_of<i64>({1, 2, 2, 3, 4, 4}));
  }
  return put(input(std::move(shape)));
}

ValueId Gen::pick_static(i64 rank) {
  std::vector<i64> axes(static_cast<size_t>(std::max<i64>(rank, 0)));
  std::iota(axes.begin(), axes.end(), 0);
  const ValueId v = pick(rank, axes);
  dims(v);
  return v;
}

ValueId Gen::put(ValueId v) {
  const auto& shape = graph.shape(v);
  const auto numbers = shape ? static_dims(*shape) : std::nullopt;
  if (!numbers || element_count(*numbers) <= 600) pool_.push_back(v);
  return v;
}

ValueId Gen::input(DType t, Shape shape) {
  return graph.add_input("x" + std::to_string(graph.inputs().size()), t, std::move(shape));
}

i64 Gen::rank(ValueId v) const {
  require(graph.shape(v).has_value(), ErrorKind::bad_input, "no rank");
  return std::ssize(*graph.shape(v));
}

i64 Gen::dim(ValueId v, i64 axis) const {
  const i64 r = rank(v), a = axis < 0 ? axis + r : axis;
  require(a >= 0 && a < r, ErrorKind::bad_input, "no such axis");
  const auto number = (*graph.shape(v))[size_t(a)].value();
  require(number.has_value(), ErrorKind::bad_input, "not a number");
  return *number;
}

Dims Gen::dims(ValueId v) const {
  require(graph.shape(v).has_value(), ErrorKind::bad_input, "no rank");
  const auto numbers = static_dims(*graph.shape(v));
  require(numbers.has_value(), ErrorKind::bad_input, "not numbers");
  return *numbers;
}

ValueId Gen::constant(Tensor t, bool may_be_input) {
  if (may_be_input && coin(24)) return input(t.dtype(), to_shape(t.dims()));
  if (coin(4))
    return add(Op::Constant, {},
               {{"value", TensorPtr(std::make_shared<const Tensor>(std::move(t)))}});
  return graph.add_constant(std::move(t));
}

ValueId Gen::random(Dims dims, double mean, double spread) {
  return constant(
      float_tensor(type, std::move(dims), [&] { return mean + spread * rng.normal(); }));
}
ValueId Gen::positive(Dims dims) {
  return constant(float_tensor(type, std::move(dims), [&] { return rng.uniform(0.5, 1.5); }),
                  false);
}
ValueId Gen::fill(Dims dims, double value) {
  return constant(float_tensor(type, std::move(dims), [&] { return value; }), false);
}

ValueId Gen::scalar(double value) {
  if (coin(12)) value = one_of<double>({value * 1.25, -value, value + 1, 0.0, -0.0, 1.0, 2.0});
  const i64 way = below(16);
  if (way == 0 && value != 0) return random({}, value, 0.1);
  return fill(way < 9 ? Dims{} : way < 15 ? Dims{1} : Dims{1, 1}, value);
}

ValueId Gen::ints(Dims dims, std::vector<i64> values) {
  return constant(Tensor::of<i64>(std::move(dims), std::span<const i64>(values)), false);
}

ValueId Gen::channel(ValueId x, bool away_from_zero) {
  const i64 r = rank(x), c = r > 1 ? dim(x, 1) : 1;
  Dims shape(size_t(std::max<i64>(r - 1, 0)), 1);
  if (!shape.empty()) shape[0] = c;
  const i64 way = below(20);
  if (way < 5) {
    shape.insert(shape.begin(), 1);
  } else if (way == 5) {
    shape = {dim(x, -1)};  // right-aligned: not the channel unless x has rank 2
  } else if (way == 6) {
    shape = {};
  } else if (way == 7) {
    shape = {1};
  } else if (way == 8) {
    shape = dims(x);
  } else if (way == 9 && r >= 2) {
    shape.assign(size_t(r), 1);
    shape.back() = dim(x, -1);
  } else if (way == 10) {
    shape.assign(size_t(r + 1), 1);  // one dimension more than x
    if (coin()) shape[size_t(std::min<i64>(2, r))] = r > 1 ? c : 1;
  } else if (way == 11 && r >= 2) {
    shape.assign(size_t(r), 1);
    shape[0] = dim(x, 0);
  }
  return constant(float_tensor(type, std::move(shape), [&] {
    return away_from_zero ? rng.uniform(0.5, 1.5) * (coin(4) ? -1 : 1) : rng.normal();
  }));
}

std::vector<ValueId> Gen::add_many(Op op, std::vector<ValueId> inputs, i64 outputs,
                                   Attributes attributes) {
  const NodeId n = graph.add_node(op, std::move(inputs), std::move(attributes),
                                  std::vector<std::string>(size_t(outputs)));
  return graph.node(n).outputs;
}

ValueId Gen::batch_normalization(ValueId x) {
  const i64 c = dim(x, 1);
  Attributes attributes;
  if (coin()) attributes.set("epsilon", one_of<float>({1e-5f, 1e-3f, 0.1f}));
  return add(Op::BatchNormalization,
             {x, random({c}, 1, 0.3), random({c}), random({c}), positive({c})}, attributes);
}

ValueId Gen::affine(ValueId x) {
  switch (below(12)) {
    case 0:
    case 1:
    case 2:
      return commuted(Op::Mul, x, channel(x, true));
    case 3:
    case 4:
    case 5:
      return commuted(Op::Add, x, channel(x, false));
    case 6:
      return coin() ? add(Op::Sub, {x, channel(x, false)}) : add(Op::Sub, {channel(x, false), x});
    case 7:
      return coin(8) ? add(Op::Div, {channel(x, true), x}) : add(Op::Div, {x, channel(x, true)});
    case 8:
      return add(Op::Neg, {x});
    case 9:
      return coin(3) ? add(Op::Add, {x, x}) : commuted(Op::Mul, x, scalar(rng.uniform(0.5, 2)));
    default:
      return batch_normalization(x);
  }
}

ValueId Gen::unary(ValueId x) {
  static constexpr Op kOps[] = {Op::Relu, Op::Sigmoid, Op::Tanh,     Op::Neg,  Op::Abs,
                                Op::Sin,  Op::Erf,     Op::Softsign, Op::Relu, Op::LeakyRelu,
                                Op::Relu, Op::Exp,     Op::Identity, Op::Relu, Op::Atan};
  return add(kOps[below(i64(std::size(kOps)))], {x});
}

ValueId Gen::conv(ValueId x) {
  const i64 spatial = rank(x) - 2, c = dim(x, 1);
  require(spatial >= 1, ErrorKind::bad_input, "no spatial axis");
  i64 group = coin(3) ? (c % 2 == 0 && coin() ? 2 : c) : 1;
  const i64 filters = group * between(1, 3);
  Dims weight = {filters, c / group};
  Attributes attributes;
  if (group > 1) attributes.set("group", group);
  std::vector<i64> pads, strides, dilations;
  for (i64 i = 0; i < spatial; ++i) {
    weight.push_back(between(1, 3));
    strides.push_back(coin(4) ? 2 : 1);
    dilations.push_back(coin(6) ? 2 : 1);
  }
  for (i64 i = 0; i < 2 * spatial; ++i) pads.push_back(coin() ? 0 : between(0, 1));
  if (coin())
    attributes.set("pads", pads);
  else if (coin(4))
    attributes.set("auto_pad",
                   std::string(one_of<const char*>({"SAME_UPPER", "SAME_LOWER", "VALID"})));
  if (coin(3)) attributes.set("strides", strides);
  if (coin(4)) attributes.set("dilations", dilations);
  std::vector<ValueId> inputs = {x, random(weight, 0, 0.5)};
  if (coin()) inputs.push_back(random({filters}));
  return add(Op::Conv, inputs, attributes);
}

namespace {

/// Some values more become outputs, some get another reader: near misses of "one reader".
void add_outputs(Gen& g) {
  Graph& graph = g.graph;
  std::vector<ValueId> results, dangling;
  for (NodeId n : graph.nodes())
    for (ValueId v : graph.node(n).outputs) {
      const bool typed = graph.dtype(v) != DType::unknown && !is_container(graph.dtype(v));
      // A random draw is no result that can be compared; what is made of it is.
      if (!typed || graph.node(n).op == Op::Constant || !is_pure(graph, graph.node(n))) continue;
      results.push_back(v);
      if (graph.value(v).readers.empty()) dangling.push_back(v);
    }
  if (results.empty()) results.push_back(graph.inputs().front()), dangling = results;
  i64 count = 0;
  const auto output = [&](ValueId v) { graph.add_output("y" + std::to_string(count++), v); };
  for (ValueId v : dangling)
    if (count < 6) output(v);
  if (g.coin(4)) output(results[size_t(g.below(std::ssize(results)))]);
  if (g.coin(5)) {
    const ValueId v = results[size_t(g.below(std::ssize(results)))];
    if (is_float(graph.dtype(v))) output(g.unary(v));
  }
  if (g.coin(16)) output(graph.inputs()[size_t(g.below(std::ssize(graph.inputs())))]);
}

}  // namespace

Graph random_rule_graph(u64 seed, std::string_view only) {
  Gen g(seed);
  std::vector<const Snippet*> all;
  for (const auto& table : {linear_snippets(), layout_snippets(), value_snippets()})
    for (const Snippet& s : table)
      if (only.empty() || s.name == only) all.push_back(&s);
  require(!all.empty(), ErrorKind::bad_argument, "fuzzing: no snippet is called ", only);
  const i64 count = g.between(1, only.empty() ? 8 : 2);
  for (i64 i = 0; i < count; ++i) {
    const Snippet& s = *all[size_t(g.below(std::ssize(all)))];
    try {
      s.build(g);
    } catch (const Error& e) {
      require(e.kind() != ErrorKind::internal, ErrorKind::internal, "snippet ", s.name, ": ",
              e.what());
    }
  }
  if (g.graph.inputs().empty()) g.pick();
  add_outputs(g);
  return std::move(g.graph);
}

}  // namespace sinter::fuzzing
