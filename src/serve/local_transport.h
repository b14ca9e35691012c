// SPDX-License-Identifier: Apache-2.0
// Frames between two threads of one process: handed over as they are, with nothing copied and
// nothing checked on the way.
#pragma once
#include <memory>
#include <string>
#include <utility>

#include "serve/transport.h"

namespace sinter::serve {

/// The two ends. Each calls the other by its name: the first says `second`, the second `first`.
/// What one end was sent before the other was destroyed still arrives; then it is an Error(io), as
/// with a socket. Sending never waits.
std::pair<std::shared_ptr<Transport>, std::shared_ptr<Transport>> make_local_transports(
    const std::string& first, const std::string& second);

}  // namespace sinter::serve
