// SPDX-License-Identifier: Apache-2.0
// Patterns of single values: spelled-out functions, casts, constants, duplicates, control flow.
#include <cmath>
#include <numbers>

#include "tests/fuzzing/rule_graphs.h"

namespace sinter::fuzzing {
namespace {

ValueId cast(Gen& g, ValueId x, DType to) { return g.add(Op::Cast, {x}, {{"to", i64(to)}}); }
ValueId times(Gen& g, ValueId x, double f) {
  return g.coin() ? g.commuted(Op::Mul, x, g.scalar(f)) : g.add(Op::Div, {x, g.scalar(1 / f)});
}
ValueId clip(Gen& g, ValueId x, double low, double high) {
  switch (g.below(4)) {
    case 0:
      return g.add(Op::Min, {g.add(Op::Max, {x, g.scalar(low)}), g.scalar(high)});
    case 1:
      return g.add(Op::Max, {g.add(Op::Min, {x, g.scalar(high)}), g.scalar(low)});
    default:
      return g.add(Op::Clip, {x, g.number(low), g.number(high)});
  }
}
ValueId bounded(Gen& g, ValueId x) {
  const double low = g.one_of<double>({-1, 0, 0.25}), high = g.one_of<double>({0, 1, 6});
  switch (g.below(6)) {
    case 0:
      return g.add(Op::Relu, {x});
    case 1:
      return g.add(Op::Clip, {x, g.number(low)});
    case 2:
      return g.add(Op::Clip, {x, {}, g.number(high)});
    case 3:
      return g.add(g.coin() ? Op::Max : Op::Min, {x, g.scalar(low)});
    default:
      return clip(g, x, low, high);
  }
}

ValueId hard_swish(Gen& g, ValueId x) {
  const bool gate_only = g.coin(3);
  const ValueId shifted = g.commuted(Op::Add, x, g.scalar(3));
  const ValueId c = g.coin(4) ? g.add(Op::HardSigmoid, {x}, {{"alpha", 1 / 6.0f}})
                              : clip(g, shifted, 0, g.coin(8) ? 5 : 6);
  if (gate_only) return times(g, c, 1 / 6.0);
  return g.coin() ? times(g, g.commuted(Op::Mul, x, c), 1 / 6.0)
                  : g.commuted(Op::Mul, x, times(g, c, 1 / 6.0));
}

ValueId layer_norm(Gen& g, ValueId x) {
  const i64 r = g.rank(x), n = g.between(1, std::min<i64>(2, r));
  std::vector<i64> axes;
  for (i64 i = r - n; i < r; ++i) axes.push_back(g.coin() ? i : i - r);
  if (g.coin(12)) axes[0] = 0;
  const auto mean = [&](ValueId v) {
    return g.add(Op::ReduceMean, {v, g.ints(axes)}, {{"keepdims", i64(!g.coin(20))}});
  };
  const ValueId d = g.coin(8) ? x : g.add(Op::Sub, {x, mean(x)});
  const ValueId square = g.coin() ? g.add(Op::Pow, {d, g.scalar(2)}) : g.add(Op::Mul, {d, d});
  const ValueId v = g.commuted(Op::Add, mean(square), g.scalar(1e-3));
  ValueId y = g.coin() ? g.add(Op::Div, {d, g.add(Op::Sqrt, {v})})
                       : g.commuted(Op::Mul, d,
                                    g.coin() ? g.add(Op::Reciprocal, {g.add(Op::Sqrt, {v})})
                                             : g.add(Op::Pow, {v, g.scalar(-0.5)}));
  Dims shape;
  for (i64 i = r - n; i < r; ++i) shape.push_back(g.coin(12) ? 1 : g.dim(x, i));
  if (!g.coin(3)) y = g.commuted(Op::Mul, y, g.random(shape, 1, 0.3));
  if (!g.coin(3)) y = g.commuted(Op::Add, y, g.random(shape));
  return y;
}

ValueId gelu(Gen& g, ValueId x) {
  using std::numbers::pi;
  const bool smooth = g.coin();
  ValueId inner;
  if (smooth) {
    const ValueId cube = g.coin() ? g.add(Op::Pow, {x, g.scalar(3)})
                                  : g.commuted(Op::Mul, x, g.add(Op::Mul, {x, x}));
    inner = g.add(Op::Tanh,
                  {times(g, g.commuted(Op::Add, x, times(g, cube, 0.044715)), std::sqrt(2 / pi))});
  } else {
    inner = g.add(Op::Erf, {times(g, x, 1 / std::numbers::sqrt2)});
  }
  const ValueId gate = g.commuted(Op::Add, inner, g.scalar(1));
  switch (g.below(3)) {
    case 0:
      return times(g, g.commuted(Op::Mul, x, gate), 0.5);
    case 1:
      return g.commuted(Op::Mul, times(g, x, 0.5), gate);
    default:
      return g.commuted(Op::Mul, x, times(g, gate, 0.5));
  }
}

ValueId gated(Gen& g, ValueId x) {
  switch (g.below(6)) {
    case 0:
      return g.commuted(Op::Mul, x, g.add(Op::Sigmoid, {g.coin() ? x : times(g, x, 1.702)}));
    case 1:
      return g.commuted(Op::Mul, x, g.add(Op::Tanh, {g.add(Op::Softplus, {x})}));
    case 2:
      return g.add(Op::Log, {g.commuted(Op::Add, g.add(Op::Exp, {x}), g.scalar(1))});
    case 3:
      return g.add(Op::Max, {x, times(g, x, g.one_of<double>({0.1, 0.9, 1.5, -0.2}))});
    case 4: {
      const ValueId negative = g.commuted(Op::Mul, g.add(Op::Min, {x, g.scalar(0)}), g.scalar(0.3));
      return g.commuted(Op::Add, g.add(Op::Relu, {x}), negative);
    }
    default: {
      const ValueId below =
          g.commuted(Op::Mul, g.add(Op::Relu, {g.add(Op::Neg, {x})}), g.channel(x, true));
      return g.coin() ? g.add(Op::Sub, {g.add(Op::Relu, {x}), below})
                      : g.commuted(Op::Add, g.add(Op::Relu, {x}), below);
    }
  }
}

ValueId softmax(Gen& g, ValueId x) {
  const i64 a = g.below(g.rank(x));
  const auto reduce = [&](Op op, ValueId v) {
    return g.add(op, {v, g.ints({a})}, {{"keepdims", i64(!g.coin(16))}});
  };
  switch (g.below(6)) {
    case 0: {
      ValueId v = x;
      if (g.coin()) v = g.add(Op::Sub, {x, reduce(Op::ReduceMax, x)});
      const ValueId e = g.add(Op::Exp, {v});
      return g.add(Op::Div, {e, reduce(Op::ReduceSum, e)});
    }
    case 1:
      return g.add(Op::Log, {g.add(Op::Softmax, {x}, {{"axis", a}})});
    case 2:
      return g.add(Op::Sqrt, {reduce(Op::ReduceSum, g.coin() ? g.add(Op::Mul, {x, x})
                                                             : g.add(Op::Pow, {x, g.scalar(2)}))});
    case 3:
      return reduce(Op::ReduceSum, g.add(g.coin() ? Op::Abs : Op::Exp, {x}));
    case 4:
      return g.add(Op::Log, {reduce(Op::ReduceSum, g.add(Op::Exp, {x}))});
    default:
      return cast(g,
                  g.add(Op::ArgMax,
                        {g.add(g.one_of<Op>({Op::Softmax, Op::Exp, Op::Neg, Op::Sigmoid}), {x})},
                        {{"axis", a}}),
                  g.type);
  }
}

const DType kTypes[] = {DType::f32, DType::f64,     DType::i64, DType::i32,
                        DType::f16, DType::boolean, DType::bf16};
DType any_type(Gen& g) { return kTypes[g.below(i64(std::size(kTypes)))]; }

/// A body of one or two nodes per output on one input of that type.
GraphPtr branch(Gen& g, const ValueType& type, bool with_constant) {
  Graph body;
  ValueId v = body.add_input("a", type);
  for (i64 n = g.between(0, 2); n > 0; --n)
    v = body.add(g.one_of<Op>({Op::Relu, Op::Neg, Op::Tanh}), {v});
  if (with_constant)
    v = body.add(g.one_of<Op>({Op::Add, Op::Mul}),
                 {v, body.add_constant(float_tensor(g.type, {}, [&] {
                    return g.one_of<double>({0, 1, 2});
                  }))});
  body.add_output("r", v);
  return std::make_shared<const Graph>(std::move(body));
}

ValueId if_node(Gen& g, ValueId x) {
  ValueId condition;
  switch (g.below(4)) {
    case 0:
      condition = g.constant(Tensor::scalar<bool>(g.coin()), false);
      break;
    case 1:
      condition = g.add(Op::Equal, {g.add(Op::Size, {x}), g.ints({}, {g.between(1, 12)})});
      break;
    default:
      condition = g.input(DType::boolean, {});
  }
  const ValueType type = g.graph.value(x).type;
  const GraphPtr then_branch = branch(g, type, g.coin());
  const GraphPtr else_branch = g.coin(4) ? then_branch : branch(g, type, g.coin());
  return g.add(Op::If, {condition, x},
               {{"captures", i64(1)}, {"then_branch", then_branch}, {"else_branch", else_branch}});
}

void loop(Gen& g, ValueId x) {
  const ValueType type = g.graph.value(x).type;
  Graph body;
  body.add_input("i", DType::i64, Shape{});
  const ValueId go = body.add_input("go", DType::boolean, Shape{});
  const ValueId state = body.add_input("s", type), captured = body.add_input("c", type);
  const ValueId fixed = body.add(Op::Tanh, {captured});
  const ValueId next = body.add(g.coin() ? Op::Add : Op::Mul, {state, g.coin() ? fixed : captured});
  body.add_output("g", body.add(Op::Identity, {go}));
  body.add_output("n", next);
  const bool scans = g.coin();
  if (scans) body.add_output("scan", body.add(Op::Neg, {next}));
  ValueId trips = g.ints({}, {g.one_of<i64>({0, 1, 1, 2, 3})});
  if (g.coin(3)) trips = g.add(Op::Squeeze, {g.add(Op::Shape, {g.pick(1)})});
  const ValueId keep = g.constant(Tensor::scalar<bool>(!g.coin(6)), false);
  const auto results =
      g.add_many(Op::Loop, {trips, keep, x, g.coin() ? x : g.unary(x)}, scans ? 2 : 1,
                 {{"captures", i64(1)}, {"body", std::make_shared<const Graph>(std::move(body))}});
  g.put(results[0]);
}

ValueId quantized(Gen& g, ValueId x, bool same) {
  const auto scale = [&](double v) {
    return g.constant(float_tensor(DType::f32, {}, [&] { return v; }), false);
  };
  const ValueId zero = g.coin() ? g.graph.add_constant(Tensor::scalar<u8>(128))
                                : g.graph.add_constant(Tensor::scalar<u8>(0));
  const ValueId s = scale(0.05);
  const ValueId q = g.add(Op::QuantizeLinear, {x, s, zero});
  const ValueId d = g.add(Op::DequantizeLinear, {q, s, zero});
  if (!same) return d;
  const ValueId moved = g.coin() ? g.add(Op::Transpose, {d}) : d;
  return g.add(Op::DequantizeLinear,
               {g.add(Op::QuantizeLinear, {moved, g.coin(5) ? scale(0.06) : s, zero}), s, zero});
}

void integers(Gen& g) {
  const DType t = g.one_of<DType>({DType::i32, DType::i64, DType::i64});
  ValueId x = g.input(t, Shape{g.coin(3) ? Dim::symbol("n") : Dim(2), 3});
  const auto number = [&](i64 v) { return g.constant(convert(Tensor::scalar<i64>(v), t), false); };
  for (i64 n = g.between(2, 4); n > 0; --n) {
    switch (g.below(6)) {
      case 0:
        x = g.add(Op::Div, {x, number(g.one_of<i64>({1, 2, -3}))});
        break;
      case 1:
        x = g.add(Op::Neg, {x});
        break;
      case 2:
        x = g.add(Op::Mod, {x, number(g.one_of<i64>({2, -3}))});
        break;
      default:
        x = g.add(g.one_of<Op>({Op::Add, Op::Mul, Op::Sub, Op::Max, Op::Min}),
                  {x, number(g.between(-2, 3))});
    }
  }
  g.put(g.coin() ? x : cast(g, x, g.type));
}

void randomness(Gen& g) {
  const ValueId x = g.pick();
  const auto draw = [&] { return g.add(Op::RandomNormalLike, {x}, {{"dtype", i64(DType::f32)}}); };
  // Two draws are never equal; one draw is: merging them shows.
  const ValueId a = draw(), b = g.coin(4) ? a : draw();
  const ValueId all =
      g.add(Op::ReduceMin, {cast(g, g.add(Op::Equal, {a, b}), DType::f32)}, {{"keepdims", i64(0)}});
  g.put(cast(g, all, g.type));
  const ValueId n = cast(g, g.add(Op::Shape, {draw()}), g.type);
  g.put(n);
}

const Snippet kSnippets[] = {
    {"hard_swish", [](Gen& g) { g.put(hard_swish(g, g.pick())); }},
    {"layer_norm", [](Gen& g) { g.put(layer_norm(g, g.pick(g.between(2, 3)))); }},
    {"gelu", [](Gen& g) { g.put(gelu(g, g.pick())); }},
    {"gated", [](Gen& g) { g.put(gated(g, g.pick())); }},
    {"softmax", [](Gen& g) { g.put(softmax(g, g.pick())); }},
    {"clips",
     [](Gen& g) {
       ValueId x = g.pick();
       if (g.coin(3)) x = g.add(g.one_of<Op>({Op::Sigmoid, Op::Softmax, Op::Exp, Op::Abs}), {x});
       for (i64 n = g.between(2, 3); n > 0; --n) x = bounded(g, x);
       g.put(x);
     }},
    {"idempotent",
     [](Gen& g) {
       const ValueId x = g.pick();
       const Op op = g.one_of<Op>({Op::Relu, Op::Abs, Op::Ceil, Op::Floor, Op::Round, Op::Sign,
                                   Op::Neg, Op::Reciprocal, Op::Sqrt});
       const Op then = g.coin(5) ? Op::Abs : op;
       g.put(g.add(then, {g.add(op, {x})}));
     }},
    {"casts",
     [](Gen& g) {
       ValueId x = g.pick();
       for (i64 n = g.between(1, 3); n > 0; --n) x = cast(g, x, any_type(g));
       g.put(cast(g, x, g.type));
     }},
    {"cast_sandwich",
     [](Gen& g) {
       const ValueId x = cast(g, g.pick(), g.one_of<DType>({DType::f16, DType::f64, DType::f32}));
       ValueId y = g.coin() ? g.add(Op::Transpose, {x}) : g.add(Op::Flatten, {x});
       if (g.coin(4)) y = g.add(Op::Neg, {y});
       g.put(cast(g, y, g.type));
     }},
    {"duplicates",
     [](Gen& g) {
       const ValueId x = g.pick(), c = g.scalar(2);
       const Op op = g.one_of<Op>({Op::Add, Op::Sub, Op::Mul, Op::Max});
       const ValueId a = g.add(op, {x, c}),
                     b = g.coin() ? g.add(op, {c, x}) : g.add(op, {x, g.scalar(2)});
       g.put(g.add(Op::Sub, {g.add(Op::Tanh, {a}), g.add(Op::Tanh, {b})}));
       if (g.coin()) g.put(a), g.put(b);
     }},
    {"split_duplicates",
     [](Gen& g) {
       const ValueId x = g.pick();
       const i64 a = g.below(g.rank(x)), n = g.dim(x, a);
       require(n >= 2, ErrorKind::bad_input, "too short");
       const auto p = g.add_many(Op::Split, {x, g.ints({1, n - 1})}, 2, {{"axis", a}});
       const auto q =
           g.add_many(Op::Split, {x, g.ints({g.coin(4) ? n - 1 : 1, g.coin(4) ? n - 1 : 1})}, 2,
                      {{"axis", a}});
       g.put(g.commuted(Op::Mul, p[0], q[0]));
     }},
    {"constants",
     [](Gen& g) {
       const ValueId x = g.pick();
       ValueId c = g.random(g.coin() ? Dims{} : Dims{1});
       for (i64 n = g.between(1, 3); n > 0; --n)
         c = g.coin() ? g.unary(c) : g.add(Op::Add, {c, g.scalar(0.5)});
       g.put(g.commuted(Op::Add, x, c));
       if (g.coin(4)) g.put(g.unary(g.add(Op::Expand, {c, g.ints({2, 3})})));
     }},
    {"generated",
     [](Gen& g) {
       const ValueId x = g.pick();
       const ValueId n =
           g.add(Op::Range, {g.ints({}, {0}), g.ints({}, {g.between(1, 4)}), g.ints({}, {1})});
       g.put(cast(g, n, g.type));
       g.put(g.add(Op::Trilu, {g.add(Op::Unsqueeze, {x, g.ints({0})})}));
     }},
    {"where",
     [](Gen& g) {
       const ValueId x = g.pick(), y = g.unary(x);
       ValueId c =
           g.add(g.one_of<Op>({Op::Greater, Op::Less, Op::GreaterOrEqual}), {x, g.scalar(0)});
       for (i64 n = g.below(3); n > 0; --n) c = g.add(Op::Not, {c});
       if (g.coin(3))
         c = g.add(g.coin() ? Op::And : Op::Or,
                   {c, g.constant(Tensor::scalar<bool>(g.coin()), false)});
       if (g.coin(5)) c = g.constant(Tensor::scalar<bool>(g.coin()), false);
       g.put(g.add(Op::Where, {c, x, g.coin(6) ? x : y}));
     }},
    {"special_numbers",
     [](Gen& g) {
       const double v = g.one_of<double>({0.0, -0.0, 1e-42, 1e-30, -1.0, 0.0, 1e6});
       const ValueId x = g.pick(), c = g.fill(g.coin() ? Dims{} : Dims{1}, v);
       const Op op = g.one_of<Op>({Op::Add, Op::Mul, Op::Max, Op::Min, Op::Sub, Op::Div});
       g.put(g.coin() ? g.add(op, {x, c}) : g.commuted(Op::Add, g.add(op, {x, c}), g.scalar(1)));
     }},
    {"random_draws", randomness},
    {"if", [](Gen& g) { g.put(g.unary(if_node(g, g.pick()))); }},
    {"loop", [](Gen& g) { loop(g, g.pick()); }},
    {"quantized",
     [](Gen& g) {
       require(g.type == DType::f32, ErrorKind::bad_input, "needs f32");
       g.put(quantized(g, g.pick(), g.coin()));
     }},
    {"integers", integers},
    {"variadic",
     [](Gen& g) {
       const ValueId x = g.pick();
       std::vector<ValueId> operands = {x};
       for (i64 n = g.below(3); n > 0; --n) operands.push_back(g.coin() ? g.unary(x) : g.scalar(0));
       g.put(g.add(g.one_of<Op>({Op::Sum, Op::Max, Op::Min, Op::Mean}), operands));
     }},
    {"layer_norm_node",
     [](Gen& g) {
       const ValueId x = g.pick();
       const i64 d = g.dim(x, -1);
       const ValueId y = g.add(Op::LayerNormalization, {x, g.random({d}), g.random({d})});
       g.put(g.coin() ? g.affine(y) : y);
     }},
    {"dropout_mask",
     [](Gen& g) {
       const auto r = g.add_many(
           Op::Dropout, {g.pick(), g.constant(convert(Tensor::scalar<float>(0.4f), g.type), false)},
           2);
       g.put(g.unary(r[0]));
       if (g.coin()) g.put(cast(g, r[1], g.type));
     }},
    {"topk",
     [](Gen& g) {
       const auto r = g.add_many(Op::TopK, {g.add(Op::Sigmoid, {g.pick()}), g.ints({1})}, 2);
       g.put(g.coin() ? r[0] : cast(g, r[1], g.type));
     }},
};

}  // namespace

std::span<const Snippet> value_snippets() { return kSnippets; }

}  // namespace sinter::fuzzing
