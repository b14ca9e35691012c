// SPDX-License-Identifier: Apache-2.0
// What a fast kernel is to the program: a function prepared for one node whose shapes are numbers.
// Preparing reads shapes, attributes and constants once, checks everything, prepacks weights, and
// returns a body that only computes; a row that does not take the node returns an empty body.
#pragma once
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/threads.h"
#include "graph/graph.h"

namespace sinter {

/// One node as seen while compiling. All dims are numbers and no tensor is empty.
struct KernelSite {
  const Graph& graph;
  const Node& node;
  std::string description;  ///< Graph::describe, for messages
  std::vector<Dims> inputs, outputs;
  std::vector<DType> types;  ///< of the inputs; none = absent
  Isa isa;

  bool has(i64 i) const { return i < std::ssize(types) && types[size_t(i)] != DType::none; }
  const Dims& in(i64 i) const { return inputs[size_t(i)]; }
  const Dims& out(i64 i = 0) const { return outputs[size_t(i)]; }
  /// nullptr when input i is absent or not a constant.
  const Tensor* constant(i64 i) const {
    return has(i) ? graph.constant(node.inputs[size_t(i)]) : nullptr;
  }
  const Attributes& attributes() const { return node.attributes; }
  /// True when every input that is there has this type.
  bool all(DType type) const {
    for (DType t : types)
      if (t != type && t != DType::none) return false;
    return true;
  }
};

/// The bytes of one run. inputs[i] is nullptr for an absent input.
struct KernelArgs {
  std::span<const std::byte* const> inputs;
  std::span<std::byte* const> outputs;
  std::byte* scratch;  ///< scratch_bytes for each worker, 64-byte aligned
  i64 scratch_stride;
  ThreadPool& pool;

  const float* in(i64 i) const { return reinterpret_cast<const float*>(inputs[size_t(i)]); }
  float* out(i64 i = 0) const { return reinterpret_cast<float*>(outputs[size_t(i)]); }
  float* worker_scratch(i64 worker) const {
    return reinterpret_cast<float*>(scratch + worker * scratch_stride);
  }
};

struct PreparedKernel {
  std::function<void(const KernelArgs&)> body;  ///< empty: not taken
  i64 scratch_bytes = 0;                        ///< for each worker of the pool
  /// Inputs over which output 0 may be written: same shape as it, and element i is read before
  /// element i is written and by the same worker.
  std::vector<i64> may_overwrite = {};
  i64 packed_bytes = 0;  ///< constants copied into another layout
};

struct KernelRow {
  Op op;
  DType dtype;  ///< of input 0; none = any fixed-size type
  std::string_view name;
  PreparedKernel (*prepare)(const KernelSite&);
};

}  // namespace sinter
