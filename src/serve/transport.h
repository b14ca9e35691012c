// SPDX-License-Identifier: Apache-2.0
// A connection of two that exchange frames: a socket between processes (socket_transport.h), two
// ranks of an MPI job (mpi_transport.h) or two threads (local_transport.h). Who broke off in the
// middle of a frame is broken for good: every later call fails.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "serve/frame.h"

namespace sinter::serve {

struct TransportLimits {
  i64 max_payload = i64(1) << 20;  ///< of a frame that is received
  double stall_s = 30;             ///< longest pause within a frame, sending or receiving
};

/// thread: one may send while another receives; sends of several threads follow each other,
/// receives are of one thread
class Transport {
 public:
  virtual ~Transport() = default;
  /// Returns when the frame has left. throws Error(io) when the peer is gone or takes no byte for
  /// stall_s
  virtual void send(const Frame& frame) = 0;
  /// The next frame, or nothing when none begins within `seconds`.
  /// throws  Error(io) when the peer is gone or pauses for stall_s within a frame; Error(bad_input)
  ///         when what arrives is no frame, a damaged one or larger than max_payload
  virtual std::optional<Frame> receive(double seconds) = 0;
  /// The name of the peer in messages.
  virtual const std::string& peer() const = 0;
};

}  // namespace sinter::serve
