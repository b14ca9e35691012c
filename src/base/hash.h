// SPDX-License-Identifier: Apache-2.0
// SHA-256 of bytes (OpenSSL). Identifies programs, parameters and constants; detects damage.
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "base/types.h"

namespace sinter {

using Digest = std::array<u8, 32>;

Digest sha256(std::span<const std::byte> data);

/// The first eight bytes as a little-endian number: a short identity for headers and tables.
u64 short_hash(std::span<const std::byte> data);

/// Lower-case hexadecimal.
std::string hex(std::span<const u8> data);

}  // namespace sinter
