// SPDX-License-Identifier: Apache-2.0
// What a coordinator and its workers say to each other: frames of a 64-byte header and a payload.
//
//   "SNTRFRAM" | version u32 | kind u32 | request u64 | program u64 | key u64
//   [..8]        [8..12]       [12..16]   [16..24]      [24..32]      [32..40]
//   payload bytes u64 | checksum of payload u64 | checksum of the 56 bytes before u64
//   [40..48]            [48..56]                  [56..64]
//
// little-endian. Checksums are XXH3 (64 bits): they find what a broken process or line does to the
// bytes, at the speed of memory, and protect against nobody who means harm; files keep SHA-256. The
// header is checked before a byte of payload is allocated, and the payload is bounded by what the
// reader says it can be, so a damaged or foreign stream is an Error(bad_input) and nothing else. A
// frame that was received can be sent on as it is.
#pragma once
#include <array>
#include <functional>
#include <string>

#include "serve/payload.h"

namespace sinter::serve {

/// Numbers are stable.
enum class FrameKind : u32 {
  hello = 1,    ///< worker: who I am, what I opened
  value = 2,    ///< a ciphertext: an operand or a result
  part = 3,     ///< part of a linear map before its division by P
  task = 4,     ///< coordinator: compute this
  done = 5,     ///< worker: the task is computed, its results are sent
  failed = 6,   ///< worker: it cannot be computed, and why
  release = 7,  ///< coordinator: values that are no longer needed
  ping = 8,     ///< coordinator: are you there?
  pong = 9,     ///< worker: yes
  stop = 10,    ///< coordinator: that was all
};

inline constexpr i64 kFrameHeaderBytes = 64;
using FrameHeader = std::array<std::byte, size_t(kFrameHeaderBytes)>;

/// What a frame is about. request: the image it belongs to.
struct FrameInfo {
  FrameKind kind = FrameKind::ping;
  u64 request = 0, program = 0, key = 0;
};

struct Frame {
  FrameInfo info;
  FrameHeader header{};
  std::shared_ptr<const Payload> payload;  ///< never null
};

Frame make_frame(const FrameInfo& info, std::shared_ptr<const Payload> payload);
Frame make_frame(const FrameInfo& info, std::span<const std::byte> payload = {});

/// Where bytes come from: fills all of the span, or throws.
using ByteSource = std::function<void(std::span<std::byte>)>;

/// The next frame of a stream: its header, then, when that is right, its payload.
///
/// read   called for the header and, when it announces any, for all bytes of the payload
/// cache  of the payload's memory; may be none
/// throws  Error(bad_input) naming `peer`: no header of this format and version, a damaged one, an
///         unknown kind, more than max_payload bytes announced, a checksum that does not fit; what
///         read throws
Frame read_frame(const ByteSource& read, i64 max_payload, const std::string& peer,
                 const std::shared_ptr<ring::BufferCache>& cache = nullptr);
/// One frame that is all of `data`. For tests and fuzzing. throws as read_frame; Error(bad_input)
/// when bytes are missing or left over
Frame parse_frame(std::span<const std::byte> data, i64 max_payload, const std::string& peer);

}  // namespace sinter::serve
