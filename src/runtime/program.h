// SPDX-License-Identifier: Apache-2.0
// A compiled graph: shapes bound, constants folded, one kernel per node chosen and its weights
// prepacked, memory planned. A Program holds no tensor of a run; an Executor does.
//
// compile() binds the symbolic dimensions it is told, infers the graph again, and lowers every node
// that an output needs to a step:
//   alias     Reshape, Flatten, Squeeze, Unsqueeze, Identity, inference Dropout: no step at all,
//             the result is another name for the input's bytes
//   kernel    a row of kernels/table.h took the node; shapes are numbers
//   fallback  the reference evaluation of graph/ops
// A value whose shape is not known after binding lives outside the arena, as a tensor that the
// fallback returns; everything else still runs fast.
// thread: immutable; share one Program between any number of threads.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "graph/graph.h"

namespace sinter {

/// What the symbols of a graph's inputs stand for.
struct InputShapes {
  std::map<std::string, i64> symbols;  ///< symbol to size: {"batch", 100}
  std::map<std::string, Dims> shapes;  ///< input name to full shape; binds the symbols it meets
};

/// One input or output of a program. `dims` has -1 for a dimension that was left unbound.
struct ProgramPort {
  std::string name;
  DType dtype = DType::none;
  Dims dims;
};

/// One step for reports: what runs and where.
struct StepInfo {
  std::string node;  ///< Graph::describe
  Op op{};
  std::string kernel;  ///< the kernel row's name, or "reference"
};

struct ProgramMemory {
  i64 arena_bytes = 0;     ///< size of the planned arena
  i64 sum_bytes = 0;       ///< the same tensors without sharing
  i64 lower_bound = 0;     ///< largest sum live at one step
  i64 aliased = 0;         ///< values that are views of another
  i64 in_place = 0;        ///< results written over an input that dies
  i64 constant_bytes = 0;  ///< constants that the steps read, prepacked copies included
  i64 dynamic_values = 0;  ///< values outside the arena
};

class Program {
 public:
  /// in      a graph for which verify() holds; it need not be optimized
  /// throws  Error(bad_argument) for an unknown symbol or input name, or shapes that contradict the
  ///         graph or each other; Error(bad_input) from inference, naming the node
  /// cost    inference, folding of constants, O(n^2) planning
  static std::shared_ptr<const Program> compile(Graph graph, const InputShapes& bound = {},
                                                Isa isa = active_isa());
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const std::vector<ProgramPort>& inputs() const;
  const std::vector<ProgramPort>& outputs() const;
  /// True when every value has a shape of numbers: nothing is allocated by a run but its outputs.
  bool is_static() const;
  const ProgramMemory& memory() const;
  /// In running order; aliases are not steps.
  std::vector<StepInfo> steps() const;
  /// The bound graph with constants folded.
  const Graph& graph() const;

  struct Impl;

 private:
  friend class Executor;
  explicit Program(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace sinter
