// SPDX-License-Identifier: Apache-2.0
#include "serve/frame.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

namespace sinter::serve {
namespace {

constexpr char kMagic[] = "SNTRFRAM";
constexpr u32 kVersion = 1;
constexpr i64 kCheckedBytes = kFrameHeaderBytes - 8;

}  // namespace

Payload::Payload(std::span<const std::byte> data) : Payload(std::ssize(data)) {
  std::ranges::copy(data, data_.get());
}

Frame make_frame(const FrameInfo& info, std::shared_ptr<const Payload> payload) {
  ByteWriter out;
  out.bytes(std::as_bytes(std::span(kMagic, 8)));
  out.u32_(kVersion);
  out.u32_(u32(info.kind));
  out.u64_(info.request);
  out.u64_(info.program);
  out.u64_(info.key);
  out.i64_(std::ssize(payload->bytes()));
  out.u64_(short_hash(payload->bytes()));
  out.u64_(short_hash(out.view()));
  Frame frame{info, {}, std::move(payload)};
  SINTER_ASSERT(out.size() == kFrameHeaderBytes);
  std::ranges::copy(out.view(), frame.header.begin());
  return frame;
}

Frame make_frame(const FrameInfo& info, std::span<const std::byte> payload) {
  return make_frame(info, std::make_shared<const Payload>(payload));
}

ParsedHeader parse_frame_header(std::span<const std::byte> header, i64 max_payload,
                                const std::string& peer) {
  require(std::ssize(header) == kFrameHeaderBytes && std::memcmp(header.data(), kMagic, 8) == 0,
          ErrorKind::bad_input, peer, ": expected a frame, found something else");
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
  require(in.u64_() == short_hash(header.first(size_t(kCheckedBytes))), ErrorKind::bad_input, peer,
          ": damaged: the checksum of a frame's header does not match");
  require(kind >= u32(FrameKind::hello) && kind <= u32(FrameKind::stop), ErrorKind::bad_input, peer,
          ": expected a kind of frame from 1 to ", u32(FrameKind::stop), ", found ", kind);
  require(parsed.payload_bytes >= 0 && parsed.payload_bytes <= max_payload, ErrorKind::bad_input,
          peer, ": expected a frame of at most ", max_payload, " bytes, found ",
          parsed.payload_bytes);
  parsed.info.kind = FrameKind(kind);
  return parsed;
}

void check_payload(const ParsedHeader& header, std::span<const std::byte> payload,
                   const std::string& peer) {
  require(std::ssize(payload) == header.payload_bytes && short_hash(payload) == header.checksum,
          ErrorKind::bad_input, peer, ": damaged: the checksum of a frame does not match");
}

Frame parse_frame(std::span<const std::byte> data, i64 max_payload, const std::string& peer) {
  require(std::ssize(data) >= kFrameHeaderBytes, ErrorKind::bad_input, peer, ": expected ",
          kFrameHeaderBytes, " bytes of header, found ", data.size());
  const auto header = data.first(size_t(kFrameHeaderBytes));
  const auto payload = data.subspan(size_t(kFrameHeaderBytes));
  const ParsedHeader parsed = parse_frame_header(header, max_payload, peer);
  check_payload(parsed, payload, peer);
  Frame frame{parsed.info, {}, std::make_shared<const Payload>(payload)};
  std::ranges::copy(header, frame.header.begin());
  return frame;
}

}  // namespace sinter::serve
