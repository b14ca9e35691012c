// SPDX-License-Identifier: Apache-2.0
// Runs a program on several workers: hands out tasks by a Schedule, keeps every result until nobody
// needs it any more, and computes nothing itself. Since every result comes back here and tasks are
// pure, a worker that dies, falls silent, takes too long or sends what does not fit is simply
// ended, its task given to another, and a new worker started in its place. Only residues out of
// range are seen by who computes with them: another worker, which ends the run with a message. The
// bytes of the results depend on the program and the inputs alone.
//
// Source: the master and workers of Dean, Ghemawat 2004 (MapReduce), section 3.3, on lost workers.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "ckks/keys.h"
#include "encrypted/program.h"
#include "serve/messages.h"
#include "serve/transport.h"

namespace sinter::serve {

/// A connection to a worker, and how to end it: at once, or after a stop was sent.
struct Link {
  std::shared_ptr<Transport> transport;
  std::function<void(bool at_once)> end;
};

struct CoordinatorOptions {
  i64 workers = 1;
  i64 threads = 1;        ///< of each worker; only for predictions
  double task_s = 60;     ///< least time that a task may take; more when predicted so
  double silence_s = 20;  ///< a worker that answers no ping for so long is ended
  double start_s = 600;   ///< until a new worker has opened its files
  double split_s = 0.02;  ///< maps predicted to take less are not cut: messages cost more
  i64 replacements = 3;   ///< workers started in place of lost ones, all together
  bool may_lose = true;   ///< false: the first loss is an error
  Progress progress;      ///< in predicted milliseconds; called from several threads, one at a time
  std::function<void(const std::string&)> warn;  ///< told of every loss; may be empty
};

/// The images. Both are called from several threads, one at a time.
struct Requests {
  i64 count = 0;
  std::function<std::vector<ckks::Ciphertext>(i64)> input;   ///< the ciphertexts of an image
  std::function<void(i64, const ckks::Ciphertext&)> output;  ///< once per image, in any order
};

/// A task that was computed, in seconds since the coordinator began.
struct TaskRun {
  Task task;
  i64 worker = 0;
  i32 instruction = -1;  ///< that it begins with; -1: a whole image
  double begin_s = 0;    ///< handed out
  double end_s = 0;      ///< its results are there
};

struct CoordinatorStats {
  i64 tasks = 0, lost_tasks = 0, lost_workers = 0;
  i64 sent_bytes = 0, received_bytes = 0;
  std::vector<double> busy_s;  ///< of each worker
  std::vector<TaskRun> runs;   ///< in the order of their ends
};

/// Returns when every output was delivered and every worker has ended.
///
/// connect  makes worker number w; called again in place of a lost one. Its limits should hold
///          max_payload(program.params) and silence_s as stall
/// throws   as check_call; the Error of a task (a damaged key, no memory); Error(io) when no worker
///          is left, with the reason of the last loss; what input and output throw. Workers are
///          ended first; outputs delivered before stay
CoordinatorStats coordinate(const encrypted::EncryptedProgram& program,
                            const ckks::Context& context, const ckks::EvaluationKeys& keys,
                            const std::function<Link(i64 worker)>& connect,
                            const Requests& requests, const CoordinatorOptions& options);

}  // namespace sinter::serve
