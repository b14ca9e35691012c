// SPDX-License-Identifier: Apache-2.0
// `sinter infer` on several processes: workers of this machine (--workers), or the ranks of an MPI
// job (--mpi). Server code, as infer.cpp.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/files.h"
#include "cli/key_files.h"
#include "cli/verbs.h"
#include "encrypted/evaluate.h"
#include "serve/memory_share.h"

namespace sinter::cli {

/// Where the work is done. Plain data.
struct WorkerSettings {
  int workers = 0;  ///< processes; 0: none
  double timeout_s = 60, silence_s = 20;
  bool uses_mpi = false;

  bool is_used() const { return workers > 0 || uses_mpi; }
};
void add_worker_options(CLI::App& command, WorkerSettings& settings);

/// The files and numbers of one `sinter infer`.
struct WorkerRun {
  std::string program, keys;
  std::vector<std::string> inputs;
  /// Where results go, checked; asked once, by the process that writes them.
  std::function<std::vector<std::filesystem::path>()> outputs;
  WorkerSettings settings;
  int threads = 1;  ///< of each worker
  i64 memory = 0;   ///< bytes for all workers of this machine, mapped keys counted once
  bool json = false;
  std::string report, html;  ///< where to write reports; empty: nowhere
};

/// Computes all inputs on worker processes or on the ranks of this job, and prints what was done.
/// throws  Error(bad_argument) when the keys have no expanded form; as serve::coordinate
void infer_on_workers(const WorkerRun& run);

/// The command that --workers starts; not listed.
void add_worker(CLI::App& app);

/// What one worker computes with, its memory planned. Borrows program and keys.
class WorkerResources {
 public:
  /// throws  Error(bad_argument) when the keys are not mapped (every worker would hold a copy) or
  ///         the worker's share of the memory is too small for this program
  WorkerResources(const LoadedProgram& loaded, const ServerKeys& server, const std::string& path,
                  int threads, const serve::SharedMemory& memory, i64 runs);
  ~WorkerResources();
  encrypted::Resources get();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sinter::cli
