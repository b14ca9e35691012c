// SPDX-License-Identifier: Apache-2.0
// Checks of errors, shared by the tests of base.
#pragma once
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"

namespace sinter::test {

/// body throws Error(kind) whose message contains `part`.
inline void expect_error(ErrorKind kind, const std::string& part,
                         const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    return;
  }
  ADD_FAILURE() << "no error; expected one with \"" << part << "\"";
}

}  // namespace sinter::test
