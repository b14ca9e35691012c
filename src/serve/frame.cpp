// SPDX-License-Identifier: Apache-2.0
#include "serve/frame.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/error.h"

namespace sinter::serve {
namespace {

constexpr char kMagic[] = "SNTRFRAM";
constexpr u32 kVersion = 2;
constexpr i64 kCheckedBytes = kFrameHeaderBytes - 8;

struct ParsedHeader {
  FrameInfo info;
  i64 payload_bytes;
  u64 checksum;
};

ParsedHeader parse_header(const FrameHeader& header, i64 max_payload, const std::string& peer) {
  require(std::memcmp(header.data(), kMagic, 8) == 0, ErrorKind::bad_input, peer,
          ": expected a frame, found something else");
  ByteReader in(header, peer);
  in.bytes(8);
  const u32 version = in.u32_();
  require(version == kVersion, ErrorKind::bad_input, peer, ": expected frames of version ",
          kVersion, ", found ", version);
  const u32 kind = in.u32_();
  ParsedHeader parsed{};
  parsed.info.request = in.u64_();
  parsed.info.program = in.u64_();
  parsed.info.key = in.u64_();
  parsed.payload_bytes = in.i64_();
  parsed.checksum = in.u64_();
  require(in.u64_() == checksum(std::span(header).first(size_t(kCheckedBytes))),
          ErrorKind::bad_input, peer, ": damaged: the checksum of a frame's header does not match");
  require(kind >= u32(FrameKind::hello) && kind <= u32(FrameKind::stop), ErrorKind::bad_input, peer,
          ": expected a kind of frame from 1 to ", u32(FrameKind::stop), ", found ", kind);
  require(parsed.payload_bytes >= 0 && parsed.payload_bytes <= max_payload, ErrorKind::bad_input,
          peer, ": expected a frame of at most ", max_payload, " bytes, found ",
          parsed.payload_bytes);
  parsed.info.kind = FrameKind(kind);
  return parsed;
}

}  // namespace

Frame make_frame(const FrameInfo& info, std::shared_ptr<const Payload> payload) {
  ByteWriter out;
  out.bytes(std::as_bytes(std::span(kMagic, 8)));
  out.u32_(kVersion);
  out.u32_(u32(info.kind));
  out.u64_(info.request);
  out.u64_(info.program);
  out.u64_(info.key);
  out.i64_(payload->size());
  out.u64_(checksum(payload->pieces()));
  out.u64_(checksum(out.view()));
  Frame frame{info, {}, std::move(payload)};
  SINTER_ASSERT(out.size() == kFrameHeaderBytes);
  std::ranges::copy(out.view(), frame.header.begin());
  return frame;
}

Frame make_frame(const FrameInfo& info, std::span<const std::byte> payload) {
  return make_frame(info, std::make_shared<const Payload>(payload));
}

Frame read_frame(const ByteSource& read, i64 max_payload, const std::string& peer,
                 const std::shared_ptr<ring::BufferCache>& cache) {
  Frame frame;
  read(frame.header);
  const ParsedHeader header = parse_header(frame.header, max_payload, peer);
  const auto payload = std::make_shared<Payload>(header.payload_bytes, cache);
  if (header.payload_bytes > 0) read(payload->buffer());
  require(checksum(payload->bytes()) == header.checksum, ErrorKind::bad_input, peer,
          ": damaged: the checksum of a frame does not match");
  frame.info = header.info;
  frame.payload = payload;
  return frame;
}

Frame parse_frame(std::span<const std::byte> data, i64 max_payload, const std::string& peer) {
  ByteReader in(data, peer);
  const ByteSource read = [&](std::span<std::byte> out) {
    std::ranges::copy(in.bytes(std::ssize(out)), out.begin());
  };
  Frame frame = read_frame(read, max_payload, peer);
  in.expect_end();
  return frame;
}

}  // namespace sinter::serve
