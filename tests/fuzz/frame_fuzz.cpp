// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as a frame between coordinator and worker, and as the payload of a correct one:
// an Error or a valid message, nothing else.
#include "base/error.h"
#include "serve/messages.h"

namespace {

using namespace sinter;
using namespace sinter::serve;

/// One input and a linear map of it: enough for values and parts.
const encrypted::EncryptedProgram& program() {
  static const encrypted::EncryptedProgram shared = [] {
    ckks::CkksOptions o;
    o.log_n = 4;
    o.log_q = {48, 40, 40};
    o.log_p = {48};
    o.security = ckks::Security::none_for_tests;
    encrypted::EncryptedProgram p(ckks::CkksParams::check(o));
    p.instructions.resize(2);
    p.instructions[0].level = p.instructions[1].level = 1;
    p.instructions[0].scale = p.instructions[1].scale = 0x1p40;
    p.instructions[1].op = encrypted::Opcode::linear;
    p.instructions[1].a = 0;
    return p;
  }();
  return shared;
}
const ckks::Context& context() {
  static const std::shared_ptr<const ckks::Context> shared =
      ckks::Context::create(program().params);
  return *shared;
}

template <class Load>
void try_load(const Load& load) {
  try {
    load();
  } catch (const Error&) {
  }
}

void read(const Frame& frame) {
  try_load([&] { parse_task(frame, 2, "input"); });
  try_load([&] { parse_done(frame, "input"); });
  try_load([&] { parse_failed(frame, "input"); });
  try_load([&] { parse_hello(frame, "input"); });
  try_load([&] { parse_release(frame, "input"); });
  try_load([&] {
    check_value(context(), program(), frame, "input");
    if (frame.info.kind == FrameKind::part)
      SINTER_ASSERT(decode_part(context(), program(), frame, "input").level == 1);
    else
      SINTER_ASSERT(decode_value(context(), program(), frame, "input").level() == 1);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try_load([&] { read(parse_frame(bytes, max_payload(program().params), "input")); });
  read(make_frame({FrameKind::value, 0, 0, 0}, bytes));
  read(make_frame({FrameKind::part, 0, 0, 0}, bytes));
  return 0;
}
