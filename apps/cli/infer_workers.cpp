// SPDX-License-Identifier: Apache-2.0
#include "cli/infer_workers.h"

#include <fmt/format.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/timer.h"
#include "cli/infer_files.h"
#include "cli/progress_bar.h"
#include "cli/report.h"
#include "cli/table.h"
#include "serve/coordinator.h"
#include "serve/local_transport.h"
#include "serve/messages.h"
#include "serve/mpi_transport.h"
#include "serve/process.h"
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

namespace {

constexpr i64 kManyRuns = 1000;  // where their number is not known, weights are worth keeping

}  // namespace

WorkerResources::WorkerResources(const LoadedProgram& loaded, const ServerKeys& server,
                                 const std::string& path, int threads,
                                 const serve::SharedMemory& memory, i64 runs) {
  require(server.is_mapped, ErrorKind::bad_argument, path,
          ": expected expanded keys, which workers share, found none; make them once with `sinter "
          "expand-keys PROGRAM ",
          path, "`");
  const encrypted::MemoryPlan plan = serve::plan_share(
      *loaded.program, server.keys.manifest(), memory, resident_memory().anonymous_bytes, runs);
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

const char* name_of(serve::TaskKind kind) {
  switch (kind) {
    case serve::TaskKind::whole:
      return "whole";
    case serve::TaskKind::segment:
      return "segment";
    case serve::TaskKind::sums:
      return "sums";
    case serve::TaskKind::giants:
      return "giants";
    case serve::TaskKind::finish:
      return "finish";
  }
  return "";
}

nlohmann::ordered_json to_json(const encrypted::EncryptedProgram& program,
                               const serve::TaskRun& run) {
  nlohmann::ordered_json row = {
      {"worker", run.worker}, {"image", run.task.request}, {"kind", name_of(run.task.kind)}};
  if (run.instruction >= 0) {
    const i32 layer = program.instructions[size_t(run.instruction)].layer;
    row["layer"] = layer;
    row["name"] = program.layers[size_t(layer)].name;
    row["part"] = run.task.part;
  }
  row["predicted_seconds"] = run.task.seconds;
  row["begin"] = run.begin_s;
  row["end"] = run.end_s;
  return row;
}

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
    report(stats);
    if (run_.json) return print(json_.dump(2) + "\n");
    print(table_.text() +
          fmt::format("{} workers with {} threads: {} tasks, {} sent, {} received, {}\n",
                      stats.busy_s.size(), run_.threads, stats.tasks, bytes_text(stats.sent_bytes),
                      bytes_text(stats.received_bytes), seconds_text(timer_.wall_s())));
  }

 private:
  void report(const serve::CoordinatorStats& stats) {
    if (run_.report.empty() && run_.html.empty()) return;
    const encrypted::EncryptedProgram& program = *loaded_.program;
    nlohmann::ordered_json report =
        plan_report(program, encrypted::explain_program(program), run_.program);
    report.update(json_);
    report["tasks"] = nlohmann::ordered_json::array();
    for (const serve::TaskRun& run : stats.runs) report["tasks"].push_back(to_json(program, run));
    write_report(report, run_.report, run_.html);
  }

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

/// This very program as `sinter worker`. checks: may be nullptr
serve::Link start_worker(const WorkerRun& run, i64 runs, i64 number, const ckks::KeyChecks* checks,
                         const serve::TransportLimits& limits) {
  const int descriptor = checks == nullptr ? -1 : checks->descriptor();
  return serve::start_process(
      {"/proc/self/exe", "worker", run.program, "--keys", run.keys, "--threads",
       std::to_string(run.threads), "--memory", std::to_string(run.memory), "--share",
       std::to_string(run.settings.workers), "--runs", std::to_string(runs), "--silence",
       fmt::format("{}", run.settings.silence_s), "--checks", std::to_string(descriptor)},
      fmt::format("worker {}", number + 1), limits);
}

/// Rank 0's own worker: a thread to which frames are handed over.
serve::Link start_local(const LoadedProgram& loaded, WorkerResources& resources) {
  auto [transport, theirs] = serve::make_local_transports("rank 0", "rank 0");
  const auto thread =
      std::make_shared<std::thread>([&loaded, &resources, end = std::move(theirs)]() mutable {
        try {
          serve::serve(*end, *loaded.program, resources.get());
        } catch (const std::exception&) {  // the coordinator sees the connection end
        }
        end.reset();
      });
  serve::Link link{transport, {}};
  link.end = [thread, transport = link.transport](bool) {
    try {
      transport->send(serve::make_frame({serve::FrameKind::stop, 0, 0, 0}));
    } catch (const Error&) {  // it has ended by itself
    }
    thread->join();
  };
  return link;
}

}  // namespace

void add_worker_options(CLI::App& command, WorkerSettings& s) {
  CLI::Option* workers =
      command
          .add_option(
              "--workers", s.workers,
              "compute in this many processes, each with --threads, by default its share of "
              "the cores; needs expanded keys")
          ->check(between(1, 256));
  command.add_flag("--mpi", s.uses_mpi, "be one rank of `mpirun -n N sinter infer --mpi ...`")
      ->excludes(workers);
  command
      .add_option("--worker-timeout", s.timeout_s,
                  "seconds that a task may take at least before another worker gets it")
      ->check(above(0))
      ->capture_default_str();
  command
      .add_option("--worker-silence", s.silence_s,
                  "seconds after which a worker that does not answer counts as lost")
      ->check(above(0))
      ->capture_default_str();
}

void infer_on_workers(const WorkerRun& run) {
  const std::unique_ptr<serve::MpiJob> job(run.settings.uses_mpi ? new serve::MpiJob : nullptr);
  const LoadedProgram loaded = read_program(run.program);
  ThreadPool pool(1);
  const ServerKeys server = read_evaluation_keys(*loaded.context, run.keys, pool);
  const serve::TransportLimits limits = {serve::max_payload(loaded.program->params),
                                         run.settings.silence_s};
  const serve::SharedMemory memory = {run.memory,
                                      job == nullptr ? run.settings.workers : job->size_here()};
  if (job != nullptr && job->rank() != 0) {  // the inputs are on the machine of rank 0
    WorkerResources resources(loaded, server, run.keys, run.threads, memory, kManyRuns);
    return serve::serve(*job->connect(0, limits), *loaded.program, resources.get());
  }

  Results results(run, loaded);
  WorkerResources resources(loaded, server, run.keys, run.threads, memory, results.runs());
  ProgressBar bar("infer");
  serve::CoordinatorOptions options;
  options.workers = job != nullptr ? job->size() : run.settings.workers;
  options.threads = run.threads;
  options.task_s = run.settings.timeout_s;
  options.silence_s = run.settings.silence_s;
  options.may_lose = job == nullptr;
  options.progress = bar.callback();
  options.warn = [](const std::string& text) { fmt::print(stderr, "sinter: warning: {}\n", text); };
  const auto checks =
      job != nullptr ? nullptr : ckks::KeyChecks::create(server.keys.manifest().key_count());
  // Who is started later opens the file anew, and trusts nobody's checks of an older one.
  std::vector<char> is_started(size_t(options.workers));
  const auto connect = [&](i64 number) -> serve::Link {
    if (job == nullptr) {
      const bool is_first = std::exchange(is_started[size_t(number)], 1) == 0;
      return start_worker(run, results.runs(), number, is_first ? checks.get() : nullptr, limits);
    }
    if (number == 0) return start_local(loaded, resources);
    return {job->connect(int(number), limits), {}};
  };
  serve::Requests requests = results.requests();
  requests.output = [&, write = requests.output](i64 i, const ckks::Ciphertext& x) {
    if (checks != nullptr)  // of a worker that was lost, perhaps
      for (i64 key : checks->unconfirmed()) server.keys.key(key);
    write(i, x);
  };
  results.print_all(
      serve::coordinate(*loaded.program, *loaded.context, server.keys, connect, requests, options));
}

}  // namespace sinter::cli
