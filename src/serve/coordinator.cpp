// SPDX-License-Identifier: Apache-2.0
// One thread per worker drives it (worker_driver.h). All of them share one state under one lock
// (shared_state.h); frames are sent and received outside it.
#include "serve/coordinator.h"

#include <thread>

#include "serve/worker_driver.h"

namespace sinter::serve {

CoordinatorStats coordinate(const encrypted::EncryptedProgram& program,
                            const ckks::Context& context, const ckks::EvaluationKeys& keys,
                            const std::function<Link(i64)>& connect, const Requests& requests,
                            const CoordinatorOptions& options) {
  require(options.workers >= 1 && options.threads >= 1, ErrorKind::bad_argument,
          "workers: expected at least one, found ", options.workers);
  const Job job{program, context, keys, requests, options, cut(program)};
  SharedState state(job);
  RequestFiles files(job, state);
  {
    std::vector<std::jthread> threads;
    for (i64 w = 0; w < options.workers; ++w)
      threads.emplace_back([&, w] { WorkerDriver(w, job, state, files).run(connect); });
  }
  return state.result();
}

}  // namespace sinter::serve
