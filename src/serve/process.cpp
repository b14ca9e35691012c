// SPDX-License-Identifier: Apache-2.0
#include "serve/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "serve/socket_transport.h"

namespace sinter::serve {
namespace {

/// posix_spawn with `socket` as kWorkerSocket of the child.
pid_t spawn(const std::vector<std::string>& arguments, int socket) {
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, socket, kWorkerSocket);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  require(error == 0, ErrorKind::io, "workers: cannot start ", arguments[0], ": ",
          std::strerror(error));
  return pid;
}

void end_process(pid_t pid, bool at_once) {
  constexpr int kTries = 200, kPauseMs = 10;
  for (int i = 0; !at_once && i < kTries; ++i) {
    if (::waitpid(pid, nullptr, WNOHANG) == pid) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs));
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace

Link start_process(const std::vector<std::string>& arguments, const std::string& name,
                   const TransportLimits& limits) {
  auto [ours, theirs] = make_socket_pair();
  const pid_t pid = spawn(arguments, theirs.get());
  const std::string peer = name + " (process " + std::to_string(pid) + ")";
  return {make_socket_transport(std::move(ours), peer, limits),
          [pid](bool at_once) { end_process(pid, at_once); }};
}

}  // namespace sinter::serve
