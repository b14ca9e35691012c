// SPDX-License-Identifier: Apache-2.0
#include "serve/request_files.h"

#include "ckks/evaluate.h"
#include "encrypted/execute.h"

namespace sinter::serve {
namespace {

/// Errors of the files are no worker's.
template <class Body>
auto fatal_if_it_fails(const Body& body) {
  try {
    return body();
  } catch (const Error& e) {
    throw Fatal{e};
  }
}

}  // namespace

void RequestFiles::load(i64 request) {
  const std::lock_guard lock(mutex_);
  if (key_of_.contains(request)) return;
  const std::vector<ckks::Ciphertext> inputs = fatal_if_it_fails([&] {
    std::vector<ckks::Ciphertext> read = job_.requests.input(request);
    encrypted::check_call(job_.program, job_.context, job_.keys, read);
    return read;
  });
  for (i64 k = 0; k < job_.program.input_count(); ++k) {
    const auto x = std::make_shared<const ckks::Ciphertext>(
        ckks::drop_to_level(job_.context, inputs[size_t(k)], job_.program.input_level(k)));
    state_.put_input(request, u32(k),
                     make_frame(job_.info(FrameKind::value, request), encode_value(u32(k), x)));
  }
  key_of_[request] = inputs[0].origin().key;
}

void RequestFiles::write(i64 request, const Frame& result) {
  ckks::Ciphertext x =
      fatal_if_it_fails([&] { return decode_value(job_.context, job_.program, result, "result"); });
  const std::lock_guard lock(mutex_);
  x.set_origin({key_of_.at(request), job_.program.hash});
  fatal_if_it_fails([&] { job_.requests.output(request, x); });
}

}  // namespace sinter::serve
