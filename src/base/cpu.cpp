// SPDX-License-Identifier: Apache-2.0
#include "base/cpu.h"

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace sinter {
namespace {

constexpr Isa kAll[] = {Isa::scalar, Isa::avx2, Isa::avx512ifma};

bool runs_here(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return true;
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512ifma:
      return runs_here(Isa::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512ifma");
  }
  return false;
}

Isa choose() {
  const char* forced = std::getenv("SINTER_ISA");
  if (forced == nullptr || *forced == '\0') return runnable_isas().back();
  for (Isa isa : kAll) {
    if (name(isa) != forced) continue;
    require(runs_here(isa), ErrorKind::bad_argument, "SINTER_ISA=", forced,
            ": this processor does not have it");
    return isa;
  }
  fail(ErrorKind::bad_argument, "SINTER_ISA=", forced, ": expected scalar, avx2 or avx512ifma");
}

}  // namespace

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::avx512ifma:
      return "avx512ifma";
    case Isa::avx2:
      return "avx2";
    case Isa::scalar:
      break;
  }
  return "scalar";
}

Isa active_isa() {
  static const Isa chosen = choose();
  return chosen;
}

std::vector<Isa> runnable_isas() {
  std::vector<Isa> all;
  for (Isa isa : kAll)
    if (runs_here(isa)) all.push_back(isa);
  return all;
}

}  // namespace sinter
