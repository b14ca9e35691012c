// SPDX-License-Identifier: Apache-2.0
// Progress as a callback: long operations of the library report how far they are; apps/cli draws.
#pragma once
#include <functional>
#include <string_view>

#include "base/types.h"

namespace sinter {

/// Called with (done, total, what) from the thread that runs the operation; may be empty.
using Progress = std::function<void(i64 done, i64 total, std::string_view what)>;

}  // namespace sinter
