// SPDX-License-Identifier: Apache-2.0
// One small random instance of a cut: tensors for its leaves, and both sides evaluated on them.
#pragma once
#include <deque>
#include <set>

#include "graph/evaluate.h"
#include "passes/detail/cut.h"

namespace sinter::passes {

/// Which dimensions that are numbers are made small.
enum class Shrink { nothing, spatial, all_but_last };

struct InstanceKind {
  i64 sample = 0;   ///< 0 and 2: normal; 1: positive; 2: symbols are 1
  i64 attempt = 0;  ///< other sizes and integers
  Shrink shrink = Shrink::nothing;
  Precision precision = Precision::widened;
};
constexpr i64 kInstanceAttempts = 7;

struct Comparison {
  bool equal = true;
  double difference = 0, tolerance = 0;
  std::string reason;
};

class Instance {
 public:
  /// throws  Error(unsupported) when a leaf has no known rank or a size is not positive
  Instance(const Cut& cut, const InstanceKind& kind, i64 work);

  /// Evaluates the part before; throws Error when it does not run, Error(out_of_levels) is never
  /// thrown, and `too_costly()` is true when the work ran out.
  void run_before();
  bool too_costly() const { return work_left_ < 0; }
  i64 work() const { return work_ - work_left_; }
  /// Evaluates the part after and compares.
  Comparison compare();

 private:
  const Tensor* get(Side side, ValueId id);
  const Tensor* constant(const TensorPtr& tensor, Side side);
  void run(Side side, NodeId id);
  void spend(const Node& node, const std::vector<const Tensor*>& inputs);
  void make_leaves();
  Tensor leaf(const ValueType& type, i64 number);
  i64 small_size(const std::string& expression);
  Dims dims_of(const Shape& shape);
  void note(const Tensor& tensor);
  /// True when floating-point constants came or went: numbers were rounded again, or moved into an
  /// attribute or the meaning of an operator.
  bool changes_numbers() const;

  const Cut& cut_;
  InstanceKind kind_;
  i64 work_, work_left_;
  std::map<std::string, i64> symbols_;
  std::map<i64, i64> shrunk_;  // a number to what it becomes
  i64 unknown_ = 0;            // dimensions of which nothing is known, so far
  std::map<ValueId, Tensor> leaves_;
  std::map<std::pair<Side, ValueId>, const Tensor*> results_;
  std::map<const Tensor*, Tensor> widened_;
  std::set<const Tensor*> constants_before_, constants_after_;
  std::set<float> numbers_[2];  // float attributes, by side
  std::deque<Tensor> owned_;
  bool new_constants_ = false;
  std::map<std::string, i64> small_;
  double scale_ = 0, taps_ = 1, unit_ = 0x1p-24;
};

}  // namespace sinter::passes
