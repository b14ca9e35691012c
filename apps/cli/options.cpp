// SPDX-License-Identifier: Apache-2.0
// Options that several commands share.
#include <thread>

#include "cli/verbs.h"

namespace sinter::cli {

void add_json(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "print one JSON object in place of the table");
}

void add_threads(CLI::App& command, int& threads) {
  threads = int(std::clamp(std::thread::hardware_concurrency(), 1u, 64u));
  command.add_option("--threads", threads, "threads to use")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

}  // namespace sinter::cli
