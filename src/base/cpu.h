// SPDX-License-Identifier: Apache-2.0
// Instruction sets. The binary is built for baseline x86-64; a kernel carries one function per
// instruction set, marked with a target attribute, and picks one at run time.
#pragma once
#include <string_view>
#include <vector>

#define SINTER_TARGET_AVX2 __attribute__((target("avx2,fma")))

namespace sinter {

/// In order: each one includes those before it, so a kernel asks `isa >= Isa::avx2`.
enum class Isa { scalar, avx2, avx512ifma };

/// "scalar", "avx2" or "avx512ifma".
std::string_view name(Isa isa);

/// The best instruction set of this machine, or the one that SINTER_ISA names; decided once.
/// throws  Error(bad_argument) when SINTER_ISA is unknown or cannot run here
Isa active_isa();

/// Every instruction set that can run on this machine, scalar first. For tests and benchmarks.
std::vector<Isa> runnable_isas();

}  // namespace sinter
