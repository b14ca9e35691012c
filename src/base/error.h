// SPDX-License-Identifier: Apache-2.0
// Errors: one exception type for anything a caller or an input file can cause, one macro for our
// own bugs. Nothing in src/ prints, aborts or exits; apps/cli is the only place that turns an
// Error into a message on stderr and an exit code.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace sinter {

/// What the caller can do about it. The CLI exit code is 10 + the value; values are never reused.
enum class ErrorKind {
  bad_argument = 0,   ///< the call is wrong: shape, level, scale or option out of range
  bad_input = 1,      ///< the bytes are wrong: malformed model, ciphertext or message
  unsupported = 2,    ///< valid, but this build does not implement it
  out_of_levels = 3,  ///< encrypted program needs more levels than the parameters give
  io = 4,             ///< file, socket or process failed; errno text is in the message
  internal = 5,       ///< our bug; please report
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws Error(kind) whose message is the parts joined.
template <class... Parts>
[[noreturn]] inline void fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(kind, text.str());
}

/// Throws Error(kind) unless `ok`. Put the offending values in the message:
///   require(level > 0, ErrorKind::out_of_levels, "rescale: ciphertext is at level ", level);
template <class... Parts>
inline void require(bool ok, ErrorKind kind, const Parts&... parts) {
  if (ok) [[likely]]
    return;
  fail(kind, parts...);
}

}  // namespace sinter

/// States what the code itself guarantees. Never reachable from user input. Kept in release builds;
/// do not use inside a kernel's inner loop.
#define SINTER_ASSERT(cond) \
  ::sinter::require((cond), ::sinter::ErrorKind::internal, __FILE__, ":", __LINE__, ": ", #cond)
