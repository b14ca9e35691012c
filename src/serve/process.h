// SPDX-License-Identifier: Apache-2.0
// Worker processes: started afresh (no fork of a running program with threads), with one end of a
// socket pair as their only inherited file but those made for children (ckks/key_checks.h).
#pragma once
#include <string>
#include <vector>

#include "serve/coordinator.h"

namespace sinter::serve {

/// The descriptor at which a worker finds its socket.
inline constexpr int kWorkerSocket = 3;

/// Starts `arguments` (the program first, a path) with its socket at kWorkerSocket. Link::end sends
/// SIGKILL, or waits two seconds for it to end by itself first; then it is reaped.
/// throws  Error(io) when it cannot be started
Link start_process(const std::vector<std::string>& arguments, const std::string& name,
                   const TransportLimits& limits);

}  // namespace sinter::serve
