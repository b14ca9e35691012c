// SPDX-License-Identifier: Apache-2.0
#include "passes/check_rewrite.h"

#include <algorithm>
#include <cstring>

#include "graph/text.h"
#include "passes/detail/instance.h"

namespace sinter {
namespace {

using passes::Cut;
using passes::Instance;
using passes::InstanceKind;
using passes::Shrink;
using passes::Side;

constexpr i64 kInstanceWork = 8'000'000;  // of one instance
constexpr i64 kCheapWork = 100'000;       // above it one instance is enough
constexpr i64 kSamples = 3;
constexpr i64 kWidenings = 8;
constexpr i64 kSmallConstant = 64;  // elements: known by content

enum class Verdict { equal, different, not_run };

struct Outcome {
  Verdict verdict = Verdict::not_run;
  std::string reason;
  double difference = 0, tolerance = 0;
};

/// One instance: the first attempt with which the part before runs decides.
Outcome try_sample(const Cut& cut, i64 sample, Shrink shrink, i64 attempts, i64& spent) {
  Outcome outcome;
  for (Precision precision : {Precision::widened, Precision::as_stored})
    for (i64 attempt = 0; attempt < attempts; ++attempt) {
      try {
        Instance instance(cut, InstanceKind{sample, attempt, shrink, precision}, kInstanceWork);
        try {
          instance.run_before();
        } catch (const Error&) {
          spent += instance.work();
          if (instance.too_costly()) return {Verdict::not_run, "too costly"};
          throw;
        }
        outcome = {};
        try {
          const passes::Comparison c = instance.compare();
          outcome = {c.equal ? Verdict::equal : Verdict::different, c.reason, c.difference,
                     c.tolerance};
        } catch (const Error& e) {
          if (instance.too_costly())
            outcome = {Verdict::not_run, "too costly"};
          else
            outcome = {Verdict::different, std::string("does not run any more: ") + e.what()};
        }
        spent += instance.work();
        return outcome;
      } catch (const Error& e) {
        outcome.reason = e.what();
      }
    }
  return outcome;
}

/// Up to three instances; large ones are tried small first, and what differs there is decided at
/// the true sizes.
Outcome try_cut(const Cut& cut, bool large, i64& spent) {
  Outcome last;
  for (i64 sample = 0; sample < kSamples; ++sample) {
    Outcome outcome;
    if (large)
      for (Shrink shrink : {Shrink::spatial, Shrink::all_but_last})
        if (outcome.verdict != Verdict::equal) outcome = try_sample(cut, sample, shrink, 2, spent);
    if (outcome.verdict != Verdict::equal)
      outcome = try_sample(cut, sample, Shrink::nothing, passes::kInstanceAttempts, spent);
    if (outcome.verdict == Verdict::different) return outcome;
    if (outcome.verdict == Verdict::equal || last.verdict != Verdict::equal) last = outcome;
    if (spent > kCheapWork) break;
  }
  return last;
}

bool is_large(const Cut& cut) {
  i64 elements = 0;
  for (ValueId v : cut.leaves())
    if (const auto& shape = cut.value(Side::before, v).type.shape) {
      i64 count = 1;
      for (const Dim& d : *shape)
        count *= std::min<i64>(1 << 20, std::max<i64>(1, d.value().value_or(4)));
      elements += std::min<i64>(count, 1 << 30);
    }
  return elements > 2048;
}

/// The structure of a cut as text; empty when constants of the new side decide.
class Key {
 public:
  using Summaries = std::map<const Tensor*, std::pair<TensorPtr, std::string>>;
  Key(const Cut& cut, Summaries& summaries) : cut_(cut), summaries_(summaries) {
    for (const Cut::Pair& pair : cut.pairs()) {
      text_ += "=";
      visit(Side::before, pair.before);
      text_ += "~";
      visit(Side::after, pair.after);
    }
  }
  std::string text() const { return usable_ ? text_ : ""; }

 private:
  void visit(Side side, ValueId id) {
    if (!id.valid()) {
      text_ += "_";
      return;
    }
    const Value& value = cut_.value(side, id);
    if (value.constant) return constant(side, value.constant);
    const NodeId p = cut_.producer(side, id);
    const auto [it, is_new] =
        numbers_.try_emplace({p.valid() ? side : Side::before, id}, i64(numbers_.size()));
    text_ += "%" + std::to_string(it->second);
    if (!is_new) return;
    if (!p.valid()) return leaf(value.type);
    const Node& node = cut_.node(side, p);
    text_ += name(node.op);
    for (const auto& [key, attribute] : node.attributes) write(key, attribute);
    text_ += "(";
    for (ValueId input : node.inputs) visit(side, input);
    text_ += ")";
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] == id) text_ += std::to_string(i);
    for (ValueId out : node.outputs) numbers_.try_emplace({side, out}, i64(numbers_.size()));
  }

  void leaf(const ValueType& type) {
    text_ += name(type.dtype);
    text_ += type.shape ? to_text(*type.shape) : "?";
    if (type.dims) text_ += to_text(*type.dims);
    usable_ = usable_ && !is_container(type.dtype);
  }

  void write(const std::string& key, const AttributeValue& value) {
    text_ += " " + key + "=";
    std::visit(
        [&](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, i64> || std::is_same_v<T, float>) {
            bytes(&v, sizeof v);
          } else if constexpr (std::is_same_v<T, std::string>) {
            text_ += v;
          } else if constexpr (std::is_same_v<T, std::vector<i64>> ||
                               std::is_same_v<T, std::vector<float>>) {
            bytes(v.data(), v.size() * sizeof(v[0]));
          } else {
            usable_ = false;
          }
        },
        value);
  }

  void bytes(const void* from, size_t size) { text_.append(static_cast<const char*>(from), size); }

  void constant(Side side, const TensorPtr& tensor) {
    const auto [it, is_new] = roles_.try_emplace(tensor.get(), i64(roles_.size()));
    text_ += "c" + std::to_string(it->second);
    if (!is_new) return;
    const bool small = tensor->size() <= kSmallConstant;
    if (side == Side::after && !small) usable_ = false;
    text_ += name(tensor->dtype());
    text_ += to_text(tensor->dims());
    if (tensor->dtype() == DType::string || is_container(tensor->dtype()))
      usable_ = false;
    else if (small)
      bytes(tensor->raw().data(), tensor->raw().size());
    else
      text_ += summary(tensor);
  }

  /// What a rule may have asked of a large constant: signs, zeros, all equal.
  const std::string& summary(const TensorPtr& tensor) {
    const auto it = summaries_.find(tensor.get());
    if (it != summaries_.end()) return it->second.second;
    std::string text;
    if (is_float(tensor->dtype()) && tensor->size() <= 1 << 20) {
      bool positive = true, negative = true, zero = false, equal = true;
      const double first = tensor->as_double(0);
      for (i64 i = 0; i < tensor->size(); ++i) {
        const double v = tensor->as_double(i);
        positive = positive && v > 0;
        negative = negative && v < 0;
        zero = zero || v == 0;
        equal = equal && v == first;
      }
      text = {positive ? '+' : '.', negative ? '-' : '.', zero ? '0' : '.'};
      if (equal) text += std::to_string(first);
    } else if (!is_float(tensor->dtype())) {
      usable_ = false;
    }
    return summaries_.emplace(tensor.get(), std::pair(tensor, text)).first->second.second;
  }

  const Cut& cut_;
  Summaries& summaries_;
  std::map<std::pair<Side, ValueId>, i64> numbers_;
  std::map<const Tensor*, i64> roles_;
  std::string text_;
  bool usable_ = true;
};

void print_sides(const Cut& cut, RewriteCheck& check) {
  try {
    const auto [before, after] = passes::cut_graphs(cut);
    check.before = to_text(before, {16});
    check.after = to_text(after, {16});
  } catch (const Error&) {  // a side that cannot be built on its own is left out of the report
  }
}

}  // namespace

RewriteCheck RewriteChecker::operator()(const EditLog& log, const std::vector<NodeId>& matched) {
  RewriteCheck check;
  Cut cut(log, matched);
  check.reason = cut.obstacle();
  if (!check.reason.empty()) return check;
  const auto equal = [&](const Cut::Pair& p) { return p.before == p.after; };
  if (cut.pairs().empty() ||
      (log.edited_nodes().empty() && std::all_of(cut.pairs().begin(), cut.pairs().end(), equal))) {
    check.checked = Checked::equal;
    return check;
  }
  const std::string key = Key(cut, summaries_).text();
  if (!key.empty() && known_.count(key) > 0) {
    check.checked = Checked::known;
    return check;
  }
  if (work_left_ < 0) {
    check.reason = "the work for checks is used up";
    return check;
  }
  Outcome outcome, narrow;
  for (i64 width = 0; width <= kWidenings; ++width) {
    if (width > 0 && !(width == 1 && cut.take_readers()) && !cut.take_producers()) break;
    i64 spent = 0;
    outcome = try_cut(cut, is_large(cut), spent);
    work_left_ -= spent;
    if (outcome.verdict == Verdict::equal) break;
    if (outcome.verdict == Verdict::different) narrow = outcome;
    if (work_left_ < 0) break;
  }
  check.reason = outcome.reason;
  if (outcome.verdict == Verdict::equal) {
    check.checked = Checked::equal;
    check.reason.clear();
    if (!key.empty()) known_.insert(key);
  } else if (narrow.verdict == Verdict::different) {
    check.different = true;
    check.reason = narrow.reason;
    print_sides(cut, check);
  }
  check.difference = std::max(outcome.difference, narrow.difference);
  check.tolerance = std::max(outcome.tolerance, narrow.tolerance);
  return check;
}

}  // namespace sinter
