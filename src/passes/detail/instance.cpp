// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/instance.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace sinter::passes {
namespace {

constexpr i64 kPrimes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};
constexpr i64 kLarge = 8;              // a number above it may be shrunk
constexpr i64 kMaxElements = 1 << 20;  // of one tensor
constexpr double kHuge = 1e30;         // not part of the scale: a mask, not a number

/// Sizes and integers of an attempt. `first_prime` < 0: every symbol is -first_prime.
struct Attempt {
  i64 first_prime, unknown;  ///< unknown 0: primes too
  i64 low, high;             ///< integers
};
constexpr Attempt kAttempts[kInstanceAttempts] = {
    {0, 0, -3, 3},   {2, 2, 0, 1},  {0, 1, 1, 1},  {5, 3, 0, 0},
    {-32, 32, 0, 1}, {-4, 4, 1, 1}, {-1, 1, 0, 0},
};

double unit_of(DType type) {
  return type == DType::f16 ? 0x1p-11 : type == DType::bf16 ? 0x1p-8 : 0x1p-24;
}

i64 product(const Tensor& t) { return std::max<i64>(1, t.size()); }

}  // namespace

Instance::Instance(const Cut& cut, const InstanceKind& kind, i64 work)
    : cut_(cut), kind_(kind), work_(work), work_left_(work) {
  make_leaves();
}

// -- leaves --------------------------------------------------------------------------------------

void Instance::make_leaves() {
  const std::vector<ValueId> ids = cut_.leaves();
  std::set<std::string> names;
  std::set<i64> large;
  for (ValueId id : ids) {
    const ValueType& type = cut_.value(Side::before, id).type;
    if (type.dims)
      for (const Dim& d : *type.dims) d.collect_symbols(names);
    if (!type.shape) continue;
    const i64 rank = std::ssize(*type.shape);
    for (i64 axis = 0; axis < rank; ++axis) {
      const Dim& d = (*type.shape)[size_t(axis)];
      d.collect_symbols(names);
      const bool may_shrink = kind_.shrink == Shrink::spatial        ? rank > 2 && axis >= 2
                              : kind_.shrink == Shrink::all_but_last ? axis + 1 < rank
                                                                     : false;
      if (may_shrink && d.value() && *d.value() > kLarge) large.insert(*d.value());
    }
  }
  const Attempt& attempt = kAttempts[kind_.attempt];
  i64 prime = attempt.first_prime + (kind_.sample == 1 ? 1 : 0);
  const bool ones = kind_.sample == 2 && kind_.attempt == 0;
  for (const std::string& name : names)
    symbols_[name] = ones ? 1
                     : attempt.first_prime < 0
                         ? -attempt.first_prime
                         : kPrimes[std::min<i64>(prime++, std::ssize(kPrimes) - 1)];
  i64 small = 2;
  for (i64 number : large) shrunk_[number] = ++small;
  i64 number = 0;
  for (ValueId id : ids) leaves_.emplace(id, leaf(cut_.value(Side::before, id).type, number++));
  for (const auto& [id, tensor] : leaves_) note(tensor);
}

/// Each expression a small number of its own, whatever its symbols are elsewhere: three levels of
/// strides down, sizes that follow from a small input would be 0.
i64 Instance::small_size(const std::string& expression) {
  const auto [it, is_new] = small_.try_emplace(expression, 2 + std::ssize(small_));
  return it->second;
}

Dims Instance::dims_of(const Shape& shape) {
  Dims dims;
  i64 count = 1;
  for (const Dim& d : shape) {
    i64 size = 0;
    if (kind_.shrink == Shrink::spatial && !d.value() && d.is_known()) {
      size = dims.empty() ? 1 : small_size(d.text());
    } else if (const auto known = d.evaluate(symbols_)) {
      const auto it = shrunk_.find(*known);
      size = d.value() && it != shrunk_.end() ? it->second : *known;
    } else {
      const i64 same_for_all = kAttempts[kind_.attempt].unknown;
      size = same_for_all > 0 ? same_for_all : kPrimes[std::min<i64>(unknown_++, 5)];
    }
    require(size >= 0 && size <= kMaxElements && (count *= std::max<i64>(1, size)) <= kMaxElements,
            ErrorKind::unsupported, "a value of the edited part is too large to be checked");
    dims.push_back(size);
  }
  return dims;
}

Tensor Instance::leaf(const ValueType& type, i64 number) {
  if (type.dtype == DType::sequence || type.dtype == DType::optional) {
    std::vector<Tensor> items;
    for (i64 i = 0; i < (type.dtype == DType::sequence ? 2 : 1); ++i)
      items.push_back(leaf(type.element ? *type.element : ValueType{DType::f32, Shape{2}, {}},
                           100 * number + i));
    return type.dtype == DType::sequence ? Tensor::sequence(std::move(items))
                                         : Tensor::optional(std::move(items));
  }
  const bool known = type.dtype != DType::none && type.dtype != DType::unknown;
  const DType dtype = known ? type.dtype : DType::f32;
  require(type.shape || !known, ErrorKind::unsupported, "a value of unknown rank");
  const Dims dims = type.shape ? dims_of(*type.shape) : Dims{2};
  Rng rng(u64(1000003 * (kind_.sample + 1) + number));
  if (dtype == DType::string) {
    Tensor t(dtype, dims);
    for (std::string& s : t.mutable_strings()) s = std::string(1, char('a' + rng.below(4)));
    return t;
  }
  Tensor t(DType::f64, dims);
  const auto elements = t.mutable_data<double>();
  const Attempt& attempt = kAttempts[kind_.attempt];
  for (size_t i = 0; i < elements.size(); ++i) {
    if (dtype == DType::boolean) {
      elements[i] = double(rng.below(2));
    } else if (is_float(dtype)) {
      elements[i] = kind_.sample == 1 ? rng.uniform(0.5, 1.5) : rng.normal();
    } else {
      const i64 low =
          dtype == DType::u8 || dtype == DType::u16 || dtype == DType::u32 || dtype == DType::u64
              ? std::max<i64>(0, attempt.low)
              : attempt.low;
      elements[i] = double(low + i64(rng.below(u64(attempt.high - low + 1))));
    }
    if (!type.dims || i >= type.dims->size()) continue;
    if (const auto content = (*type.dims)[i].evaluate(symbols_)) elements[i] = double(*content);
  }
  const bool widen = dtype == DType::f32 && kind_.precision == Precision::widened;
  return widen ? std::move(t) : convert(t, dtype);
}

// -- evaluation ----------------------------------------------------------------------------------

void Instance::note(const Tensor& t) {
  if (!is_float(t.dtype())) return;
  unit_ = std::max(unit_, unit_of(t.dtype()));
  for (i64 i = 0; i < t.size(); ++i)
    if (const double v = std::abs(t.as_double(i)); v < kHuge) scale_ = std::max(scale_, v);
}

const Tensor* Instance::constant(const TensorPtr& tensor, Side side) {
  if (side == Side::before)
    constants_before_.insert(tensor.get());
  else
    constants_after_.insert(tensor.get());
  if (side == Side::after && is_float(tensor->dtype()) && !constants_before_.contains(tensor.get()))
    new_constants_ = true;
  if (tensor->dtype() != DType::f32 || kind_.precision != Precision::widened) return tensor.get();
  const auto it = widened_.find(tensor.get());
  if (it != widened_.end()) return &it->second;
  if ((work_left_ -= tensor->size()) < 0) fail(ErrorKind::unsupported, "too costly");
  return &widened_.emplace(tensor.get(), convert(*tensor, DType::f64)).first->second;
}

const Tensor* Instance::get(Side side, ValueId id) {
  if (!id.valid()) return nullptr;
  const auto key = std::pair(side, id);
  if (const auto it = results_.find(key); it != results_.end()) return it->second;
  const Value& value = cut_.value(side, id);
  if (value.constant) return results_[key] = constant(value.constant, side);
  const NodeId producer = cut_.producer(side, id);
  if (producer.valid()) {
    run(side, producer);
    return results_.at(key);
  }
  const auto it = leaves_.find(id);
  require(it != leaves_.end(), ErrorKind::unsupported, "the result of a new impure node");
  return results_[key] = &it->second;
}

/// Rough multiplications of a node before it runs, so that a costly one is not started.
void Instance::spend(const Node& node, const std::vector<const Tensor*>& inputs) {
  i64 cost = 16;
  double taps = 1;
  for (const Tensor* t : inputs)
    if (t != nullptr) cost += t->size();
  const auto in = [&](size_t i) { return i < inputs.size() ? inputs[i] : nullptr; };
  if (in(0) != nullptr && in(1) != nullptr) {
    const Tensor &x = *in(0), &w = *in(1);
    const std::string_view op = name(node.op);
    if (op.find("Conv") != op.npos && x.rank() > 2) {
      const i64 channels = std::max<i64>(1, x.dim(1));
      cost += product(x) / channels * product(w);
      taps = double(product(w)) / double(std::max<i64>(1, w.dim(0)));
    } else if ((op.find("MatMul") != op.npos || op == "Gemm") && w.rank() > 0 && x.rank() > 0) {
      const i64 k = std::max<i64>(1, w.rank() > 1 ? w.dim(w.rank() - 2) : w.dim(0));
      cost += product(x) * std::max<i64>(1, product(w) / k);
      taps = double(std::max(x.dim(x.rank() - 1), k));
    } else if (op == "LSTM" || op == "GRU" || op == "RNN" || op == "Einsum") {
      cost += product(x) * product(w);
    }
  }
  for (const auto& [key, body] : bodies(node)) cost += 1000 * (1 + body->node_count());
  taps_ = std::max(taps_, taps);
  work_left_ -= cost;
  require(work_left_ >= 0, ErrorKind::unsupported, "too costly");
}

void Instance::run(Side side, NodeId id) {
  const Node& node = cut_.node(side, id);
  std::vector<const Tensor*> inputs;
  for (ValueId v : node.inputs) inputs.push_back(get(side, v));
  if (side == Side::after && cut_.is_untouched(id)) {
    bool same_inputs = true;
    for (size_t i = 0; i < inputs.size() && same_inputs; ++i) {
      const auto it = results_.find({Side::before, node.inputs[i]});
      same_inputs = !node.inputs[i].valid() || (it != results_.end() && it->second == inputs[i]);
    }
    const auto it = results_.find({Side::before, node.outputs[0]});
    if (same_inputs && it != results_.end()) {
      for (ValueId v : node.outputs) results_[{side, v}] = results_.at({Side::before, v});
      return;
    }
  }
  spend(node, inputs);
  for (const auto& [key, value] : node.attributes)
    if (const auto* number = std::get_if<float>(&value)) numbers_[size_t(side)].insert(*number);
  for (ValueId v : node.outputs)  // what grows out of nothing is stopped by its inferred size
    if (const ValueType& type = cut_.value(side, v).type; type.shape && shrunk_.empty())
      (void)dims_of(*type.shape);
  Attributes attributes = node.attributes;
  const bool widen = kind_.precision == Precision::widened;
  if (widen && node.op == Op::Cast && attributes.integer("to", 0) == i64(DType::f32))
    attributes.set("to", i64(DType::f64));
  std::vector<Tensor> results = evaluate_op(node.op, attributes, inputs, std::ssize(node.outputs));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (i >= results.size()) {
      results_[{side, node.outputs[i]}] = nullptr;
      continue;
    }
    const bool convert_it = widen && results[i].dtype() == DType::f32;
    owned_.push_back(convert_it ? convert(results[i], DType::f64) : std::move(results[i]));
    results_[{side, node.outputs[i]}] = &owned_.back();
    work_left_ -= owned_.back().size();
    if (side == Side::before) note(owned_.back());
  }
}

void Instance::run_before() {
  for (const Cut::Pair& pair : cut_.pairs()) get(Side::before, pair.before);
}

// -- comparison ----------------------------------------------------------------------------------

namespace {

void compare_tensors(const Tensor& a, const Tensor& b, double scale, double relative,
                     Comparison& result) {
  const auto differ = [&](std::string why) {
    if (result.equal) result.reason = std::move(why);
    result.equal = false;
  };
  if (a.dtype() != b.dtype())
    return differ("type was " + std::string(name(a.dtype())) + ", is " +
                  std::string(name(b.dtype())));
  if (a.dims() != b.dims())
    return differ("shape was " + to_text(a.dims()) + ", is " + to_text(b.dims()));
  if (is_container(a.dtype())) {
    for (size_t i = 0; i < a.items().size(); ++i)
      compare_tensors(a.items()[i], b.items()[i], scale, relative, result);
    return;
  }
  if (!is_float(a.dtype())) {
    if (!identical(a, b)) differ("elements of type " + std::string(name(a.dtype())) + " differ");
    return;
  }
  for (i64 i = 0; i < a.size(); ++i) {
    const double x = a.as_double(i), y = b.as_double(i);
    if (!std::isfinite(x) || !std::isfinite(y)) {
      if (std::isnan(x) ? !std::isnan(y) : x != y)
        differ("element " + std::to_string(i) + " was " + std::to_string(x) + ", is " +
               std::to_string(y));
      continue;
    }
    const double difference = std::abs(x - y), tolerance = relative * (scale + std::abs(x));
    if (difference > result.difference) {
      result.difference = difference;
      result.tolerance = tolerance;
    }
    if (difference > tolerance)
      differ("element " + std::to_string(i) + " was " + std::to_string(x) + ", is " +
             std::to_string(y));
  }
}

}  // namespace

bool Instance::changes_numbers() const {
  return new_constants_ || numbers_[0] != numbers_[1] ||
         std::any_of(constants_before_.begin(), constants_before_.end(), [&](const Tensor* t) {
           return is_float(t->dtype()) && !constants_after_.contains(t);
         });
}

Comparison Instance::compare() {
  Comparison result;
  for (const Cut::Pair& pair : cut_.pairs()) {
    const Tensor *was = get(Side::before, pair.before), *is = get(Side::after, pair.after);
    const bool exact = kind_.precision == Precision::widened && unit_ == 0x1p-24;
    const double rounding = 4 * (taps_ + 6) * unit_;
    const double relative = changes_numbers() || !exact ? rounding : 1e-10;
    if ((was == nullptr) != (is == nullptr)) {
      result.equal = false;
      result.reason = "a result is missing";
    } else if (was != nullptr && was != is) {
      compare_tensors(*was, *is, scale_, relative, result);
    }
    if (!result.equal) {
      result.reason = "\"" + cut_.value(Side::before, pair.before).name + "\": " + result.reason;
      return result;
    }
  }
  return result;
}

}  // namespace sinter::passes
