// SPDX-License-Identifier: Apache-2.0
#include "base/cpu.h"

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace sinter {
namespace {

bool runs_here(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return true;
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
  return false;
}

Isa choose() {
  const char* forced = std::getenv("SINTER_ISA");
  if (forced == nullptr || *forced == '\0') return runnable_isas().back();
  for (Isa isa : {Isa::scalar, Isa::avx2}) {
    if (name(isa) != forced) continue;
    require(runs_here(isa), ErrorKind::bad_argument, "SINTER_ISA=", forced,
            ": this processor does not have it");
    return isa;
  }
  fail(ErrorKind::bad_argument, "SINTER_ISA=", forced, ": expected scalar or avx2");
}

}  // namespace

std::string_view name(Isa isa) { return isa == Isa::avx2 ? "avx2" : "scalar"; }

Isa active_isa() {
  static const Isa chosen = choose();
  return chosen;
}

std::vector<Isa> runnable_isas() {
  std::vector<Isa> all;
  for (Isa isa : {Isa::scalar, Isa::avx2})
    if (runs_here(isa)) all.push_back(isa);
  return all;
}

}  // namespace sinter
