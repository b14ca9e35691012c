// SPDX-License-Identifier: Apache-2.0
// The computing end of a connection: holds the values it was sent and those it computed, does the
// tasks it is given, and answers pings meanwhile. It sees evaluation keys and ciphertexts, never a
// secret, and compiles nothing.
#pragma once
#include <functional>

#include "encrypted/evaluate.h"
#include "serve/segments.h"
#include "serve/transport.h"

namespace sinter::serve {

/// Serves until the coordinator says stop, is gone, or sends what is no frame of this program.
///
/// resources  for the calling thread, which computes; two more threads receive and send
/// on_lost    called from the receiving thread as soon as the coordinator is gone or says stop; a
///            process ends itself there instead of computing for nobody
/// An Error of a task is sent to the coordinator, which decides.
void serve(Transport& transport, const encrypted::EncryptedProgram& program,
           const encrypted::Resources& resources, const std::function<void()>& on_lost = {});

}  // namespace sinter::serve
