// SPDX-License-Identifier: Apache-2.0
// The integer types of the project: i64 for sizes, indices and shapes; u64 only for residues and
// bit patterns.
#pragma once
#include <cstdint>

namespace sinter {

using i32 = std::int32_t;
using i64 = std::int64_t;
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

}  // namespace sinter
