// SPDX-License-Identifier: Apache-2.0
// sinter worker: what `sinter infer --workers` starts, with a socket as file 3. Not for users and
// not listed. Ends as soon as its coordinator does.
#include <unistd.h>

#include "cli/files.h"
#include "cli/infer_workers.h"
#include "cli/verbs.h"
#include "serve/messages.h"
#include "serve/process.h"
#include "serve/socket_transport.h"
#include "serve/worker.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string program, keys;
  int threads = 1;
  i64 memory = 0, share = 1, runs = 1;
  double silence_s = 20;
  int checks = -1;
};

void compute(const Options& o, serve::FileDescriptor socket) {
  const LoadedProgram loaded = read_program(o.program);
  ThreadPool pool(1);
  const ServerKeys server = read_evaluation_keys(
      *loaded.context, o.keys, pool, o.checks < 0 ? nullptr : ckks::KeyChecks::attach(o.checks));
  WorkerResources resources(loaded, server, o.keys, o.threads, {o.memory, o.share}, o.runs);
  // While a coordinator waits for others that fell silent, it reads nothing from this one.
  constexpr double kOthers = 4;
  const auto transport = serve::make_socket_transport(
      std::move(socket), "coordinator",
      {serve::max_payload(loaded.program->params), kOthers * o.silence_s});
  serve::serve(*transport, *loaded.program, resources.get(), [] { ::_exit(0); });
}

/// An error before the first task is the coordinator's to report.
void run_worker(const Options& o) {
  const int kept = ::dup(serve::kWorkerSocket);
  require(kept >= 0, ErrorKind::bad_argument,
          "worker: expected to be started by `sinter infer --workers`");
  try {
    compute(o, serve::FileDescriptor(serve::kWorkerSocket));
  } catch (const Error& e) {
    const auto transport =
        serve::make_socket_transport(serve::FileDescriptor(kept), "coordinator", {});
    transport->send(serve::failed_frame({}, e));
  }
}

}  // namespace

void add_worker(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("worker", "compute for `sinter infer --workers`");
  command->group("");
  command->add_option("program", o->program)->required();
  command->add_option("--keys", o->keys)->required();
  command->add_option("--memory", o->memory)->required();
  command->add_option("--share", o->share)->check(CLI::PositiveNumber);
  command->add_option("--runs", o->runs);
  command->add_option("--silence", o->silence_s);
  command->add_option("--checks", o->checks);
  add_threads(*command, o->threads);
  command->callback([=] { run_worker(*o); });
}

}  // namespace sinter::cli
