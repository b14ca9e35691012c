// SPDX-License-Identifier: Apache-2.0
// What compile() makes and run() reads.
#pragma once
#include "runtime/kernels/kernel.h"
#include "runtime/memory_plan.h"
#include "runtime/program.h"

namespace sinter {

/// Where a value's elements are during a run.
struct Location {
  enum class Kind { unused, input, constant, arena, owned };
  Kind kind = Kind::unused;
  i64 index = -1;  ///< input: its number; arena: the buffer, then the byte offset; owned: the slot
  ValueId source;  ///< constant: the value that holds the tensor
};

struct Step {
  NodeId node;
  PreparedKernel kernel;  ///< empty body: reference evaluation
  std::string_view kernel_name;
  std::vector<i64> release;  ///< owned slots that nobody reads after this step
};

struct Program::Impl {
  Graph graph;
  Isa isa = Isa::scalar;
  std::vector<ProgramPort> inputs, outputs;
  std::vector<Step> steps;
  ValueMap<Location> locations;
  ValueMap<Dims> dims;  ///< of every value with a static shape
  MemoryPlan plan;
  ProgramMemory memory;
  i64 owned_slots = 0;
  i64 scratch_bytes = 0;  ///< for each worker
};

}  // namespace sinter
