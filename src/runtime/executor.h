// SPDX-License-Identifier: Apache-2.0
// Runs a Program: owns the arena and the scratch of the kernels, nothing else. Make one per thread
// and keep it; making one costs one allocation of the arena.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "base/threads.h"
#include "runtime/program.h"

namespace sinter {

class Executor {
 public:
  /// `pool` must outlive the executor. BLAS itself runs single-threaded; all parallelism is the
  /// pool's, over tiles whose sizes do not depend on it.
  Executor(std::shared_ptr<const Program> program, ThreadPool& pool);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// The program's outputs, in order, as tensors of their own.
  /// in      one tensor per program input, in order; read only during the call
  /// accuracy  float32 arithmetic; the same bits for every size of the pool
  /// throws  Error(bad_argument) naming the input whose count, type or shape does not fit;
  ///         Error(bad_input) or Error(unsupported) from a fallback, naming the node
  /// thread  one run at a time; different executors of one program run in parallel, each with its
  ///         own pool
  std::vector<Tensor> run(std::span<const Tensor> inputs);

  /// Wall seconds of each step of program().steps(), added up over the runs so far. Off at first.
  void set_profiling(bool on);
  const std::vector<double>& step_seconds() const;

  const Program& program() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Compiles for the shapes of `inputs` and runs once on one thread. For tests and tools; keep an
/// Executor to run more than once.
std::vector<Tensor> run_once(const Graph& graph, std::span<const Tensor> inputs);

}  // namespace sinter
