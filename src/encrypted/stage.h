// SPDX-License-Identifier: Apache-2.0
// The network as the encrypted floor sees it: a list of stages over real vectors,
//
//   input    v = select(x)                     done by the client, in the clear
//   linear   v = sum_i M_i v_i + b             one level
//            a linear stage that only adds up (sums_slots): rotations and additions, no level
//   product  v = (v_x + s) .* (v_y + t) + p    one level; a square when v_x is v_y and s is t
//   bootstrap  v = v_x, |v| <= 1               back to a higher level (insert_bootstraps.h)
//
// where s, t and p are vectors (empty = zero) that cost no level. An activation a x^2 + b x + c is
// a square followed by a diagonal linear stage, which merge.cpp moves into its readers. Stages come
// after what they read. A stage carries the geometry of its tensor, from which its slots follow.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "encrypted/merge_record.h"
#include "encrypted/origin.h"
#include "encrypted/sparse.h"
#include "graph/tensor.h"

namespace sinter::encrypted {

/// `members` equal tensors [channels, height, width] side by side, each drawn on a plane of
/// plane_height x plane_width pixels in which neighbours are `gap` pixels apart (strides enlarge
/// the gap, and channels fill it: multiplexed packing).
/// Element number: ((member * channels + c) * height + y) * width + x.
struct Geometry {
  i64 members = 1, channels = 1, height = 1, width = 1;
  i64 gap = 1, plane_height = 1, plane_width = 1;

  i64 member_size() const { return channels * height * width; }
  i64 size() const { return members * member_size(); }
  bool operator==(const Geometry&) const = default;
};

enum class StageKind { input, linear, product, bootstrap };

struct Term {
  i32 value = -1;
  std::shared_ptr<const SparseMatrix> matrix;
};

struct Stage {
  StageKind kind = StageKind::linear;
  std::string name;  ///< of the graph nodes it stands for
  std::string op;    ///< operator of the node that made it
  i64 merged = 0;    ///< further nodes that are part of it; name and op are the weightiest one's
  Geometry geometry;

  std::vector<i64> source;  ///< input: element of the network's input, -1 = zero
  std::vector<Term> terms;  ///< linear: different values, one term each
  std::vector<double> bias;
  i32 x = -1, y = -1;  ///< product; a bootstrap has x
  std::vector<double> shift_x, shift_y, post;
  Origins origin;  ///< what its elements are in the graph, member by member; empty = not known
  /// Linear: comes from a BatchNormalization or another per-channel affine left in the graph.
  bool is_affine = false;
  /// Linear: every row adds up all elements of the operand's member (matrix of ones), and slots of
  /// the operand that hold no element hold zero.
  bool is_sum = false;

  i64 size() const { return geometry.size(); }
  /// "conv1 +2" for reports.
  std::string label() const;
  bool is_square() const { return kind == StageKind::product && x == y && shift_x == shift_y; }
};

/// Value k is the result of stage k.
struct StageGraph {
  std::vector<Stage> stages;
  i32 output = -1;
  i64 batch = 1;  ///< images that share the slots, a power of two; the stages compute one of them
  std::string input_name, output_name;
  Dims input_dims, output_dims;
  std::vector<std::string> notes;
  std::vector<MergeRecord> merges;  ///< what merging did to it, in order
};

/// A sum that costs no level: over all slots, or over all slots of each member where members lie
/// interleaved and their number is a power of two.
bool sums_slots(const Stage& stage);
/// Values that stage k reads, without repetition.
std::vector<i32> operands(const Stage& stage);
/// readers[v] = stages that read v, ascending, each once.
std::vector<std::vector<i32>> readers_of(const StageGraph& graph);
/// What the diagonal stage v reads takes its origin from v, when it has none.
void inherit_origin(StageGraph& graph, i32 v);
/// Removes stages that the output does not need and renumbers.
void drop_dead(StageGraph& graph);
/// Puts `behind`, which reads stage k, after it; everything else that read k reads `behind`.
void insert_behind(StageGraph& graph, i32 k, Stage behind);
/// throws Error(internal) when an order, size or reference is wrong
void verify(const StageGraph& graph);

/// Sees the value of a stage as soon as it is there and may change it.
using StageObserver = std::function<void(i32 stage, std::span<double> value)>;

/// One pass over all stages on doubles; element counts as the stages have them.
/// out  the value of every stage
std::vector<std::vector<double>> evaluate_stages(const StageGraph& graph,
                                                 std::span<const double> input,
                                                 const StageObserver& observe = {});
/// The value of stage `stage` from those that it reads; input: of the network.
std::vector<double> evaluate_stage(const StageGraph& graph, i32 stage,
                                   std::span<const double> input,
                                   const std::function<const std::vector<double>&(i32)>& value_of);

}  // namespace sinter::encrypted
