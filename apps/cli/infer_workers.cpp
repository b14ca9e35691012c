// SPDX-License-Identifier: Apache-2.0
#include "cli/infer_workers.h"

#include <fmt/format.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/timer.h"
#include "cli/infer_files.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "encrypted/memory.h"
#include "serve/coordinator.h"
#include "serve/messages.h"
#include "serve/mpi_transport.h"
#include "serve/process.h"
#include "serve/socket_transport.h"
#include "serve/worker.h"

namespace sinter::cli {

struct WorkerResources::Parts {
  const ckks::Context& context;
  const ckks::EvaluationKeys& keys;
  ThreadPool pool;
  encrypted::MemoryPlan plan;
  encrypted::DiagonalCache cache;
  encrypted::Bootstrappers bootstrappers;
};

WorkerResources::WorkerResources(const LoadedProgram& loaded, const ServerKeys& server,
                                 const std::string& path, int threads, i64 memory, i64 runs) {
  require(server.is_mapped, ErrorKind::bad_argument, path,
          ": expected expanded keys, which workers share, found none; make them once with `sinter "
          "expand-keys PROGRAM ",
          path, "`");
  const encrypted::MemoryPlan plan = encrypted::plan_memory(
      *loaded.program,
      {memory, resident_memory().anonymous_bytes, true, server.keys.manifest(), runs, 1});
  parts_.reset(new Parts{*loaded.context, server.keys, ThreadPool(threads), plan,
                         encrypted::DiagonalCache(*loaded.program, plan.cache_bytes),
                         encrypted::Bootstrappers(*loaded.program, *loaded.context)});
}

WorkerResources::~WorkerResources() = default;

encrypted::Resources WorkerResources::get() {
  return {parts_->context,           parts_->keys,          parts_->pool, &parts_->cache,
          {parts_->plan.work_bytes}, &parts_->bootstrappers};
}

namespace {

constexpr i64 kManyRuns = 1000;  // where their number is not known, weights are worth keeping

/// The results of a run as they come, in any order.
class Results {
 public:
  Results(const WorkerRun& run, const LoadedProgram& loaded)
      : run_(run), loaded_(loaded), files_(loaded, run.inputs, run.outputs()) {}

  serve::Requests requests() {
    return {files_.runs(), [this](i64 i) { return files_.run(i); },
            [this](i64 i, const ckks::Ciphertext& x) { add(i, x); }};
  }

  i64 runs() const { return files_.runs(); }

  void print_all(const serve::CoordinatorStats& stats) {
    warn_if_insecure(loaded_.context->params());
    json_["workers"] = stats.busy_s.size();
    json_["threads"] = run_.threads;
    json_["seconds"] = timer_.wall_s();
    json_["busy_seconds"] = stats.busy_s;
    json_["tasks"] = stats.tasks;
    json_["lost_workers"] = stats.lost_workers;
    json_["sent_bytes"] = stats.sent_bytes;
    json_["received_bytes"] = stats.received_bytes;
    json_["security"] = loaded_.context->params().security_text();
    if (run_.json) return print(json_.dump(2) + "\n");
    print(table_.text() +
          fmt::format("{} workers with {} threads: {} tasks, {} sent, {} received, {}\n",
                      stats.busy_s.size(), run_.threads, stats.tasks, bytes_text(stats.sent_bytes),
                      bytes_text(stats.received_bytes), seconds_text(timer_.wall_s())));
  }

 private:
  void add(i64 i, const ckks::Ciphertext& x) {
    const auto file = files_.add(i, x.clone());
    if (!file) return;
    const double seconds = timer_.wall_s();
    table_.add({file->input, count_text(file->images), file->output, std::to_string(file->level),
                bytes_text(file->bytes), seconds_text(seconds)});
    json_["results"].push_back({{"input", file->input},
                                {"images", file->images},
                                {"output", file->output},
                                {"bytes", file->bytes},
                                {"seconds", seconds}});
  }

  const WorkerRun& run_;
  const LoadedProgram& loaded_;
  InferFiles files_;
  Timer timer_;
  Table table_{{"<input", "images", "<output", "level", "bytes", "there after"}};
  nlohmann::ordered_json json_;
};

/// This very program as `sinter worker`.
serve::Link start_worker(const WorkerRun& run, i64 runs, i64 number,
                         const serve::TransportLimits& limits) {
  return serve::start_process(
      {"/proc/self/exe", "worker", run.program, "--keys", run.keys, "--threads",
       std::to_string(run.threads), "--memory", std::to_string(run.memory / run.settings.workers),
       "--runs", std::to_string(runs), "--silence", fmt::format("{}", run.settings.silence_s)},
      fmt::format("worker {}", number + 1), limits);
}

/// Rank 0's own worker: a thread behind a socket, as if it were another rank.
serve::Link start_local(const LoadedProgram& loaded, WorkerResources& resources,
                        const serve::TransportLimits& limits) {
  auto [ours, theirs] = serve::make_socket_pair();
  auto end = serve::make_socket_transport(std::move(theirs), "rank 0", limits);
  const auto thread =
      std::make_shared<std::thread>([&loaded, &resources, end = std::move(end)]() mutable {
        try {
          serve::serve(*end, *loaded.program, resources.get());
        } catch (const std::exception&) {  // the coordinator sees the connection end
        }
        end.reset();
      });
  const auto transport = serve::make_socket_transport(std::move(ours), "rank 0", limits);
  return {transport, [thread, transport](bool) {
            try {
              transport->send(serve::make_frame({serve::FrameKind::stop, 0, 0, 0}));
            } catch (const Error&) {  // it has ended by itself
            }
            thread->join();
          }};
}

}  // namespace

void add_worker_options(CLI::App& command, WorkerSettings& s) {
  CLI::Option* workers =
      command
          .add_option(
              "--workers", s.workers,
              "compute in this many processes, each with --threads, by default its share of "
              "the cores; needs expanded keys")
          ->check(CLI::Range(1, 256));
  command.add_flag("--mpi", s.uses_mpi, "be one rank of `mpirun -n N sinter infer --mpi ...`")
      ->excludes(workers);
  command
      .add_option("--worker-timeout", s.timeout_s,
                  "seconds that a task may take at least before another worker gets it")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--worker-silence", s.silence_s,
                  "seconds after which a worker that does not answer counts as lost")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void infer_on_workers(const WorkerRun& run) {
  const std::unique_ptr<serve::MpiJob> job(run.settings.uses_mpi ? new serve::MpiJob : nullptr);
  const LoadedProgram loaded = read_program(run.program);
  ThreadPool pool(1);
  const ServerKeys server = read_evaluation_keys(*loaded.context, run.keys, pool);
  const serve::TransportLimits limits = {serve::max_payload(loaded.program->params),
                                         run.settings.silence_s};
  const i64 share = job == nullptr ? run.memory / run.settings.workers : run.memory;
  if (job != nullptr && job->rank() != 0) {  // the inputs are on the machine of rank 0
    WorkerResources resources(loaded, server, run.keys, run.threads, share, kManyRuns);
    return serve::serve(*job->connect(0, limits), *loaded.program, resources.get());
  }

  Results results(run, loaded);
  WorkerResources resources(loaded, server, run.keys, run.threads, share, results.runs());
  ProgressBar bar("infer");
  serve::CoordinatorOptions options;
  options.workers = job != nullptr ? job->size() : run.settings.workers;
  options.threads = run.threads;
  options.task_s = run.settings.timeout_s;
  options.silence_s = run.settings.silence_s;
  options.may_lose = job == nullptr;
  options.progress = bar.callback();
  options.warn = [](const std::string& text) { fmt::print(stderr, "sinter: warning: {}\n", text); };
  const auto connect = [&](i64 number) -> serve::Link {
    if (job == nullptr) return start_worker(run, results.runs(), number, limits);
    if (number == 0) return start_local(loaded, resources, limits);
    return {job->connect(int(number), limits), {}};
  };
  results.print_all(serve::coordinate(*loaded.program, *loaded.context, server.keys, connect,
                                      results.requests(), options));
}

}  // namespace sinter::cli
