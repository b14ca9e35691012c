// SPDX-License-Identifier: Apache-2.0
#include "encrypted/check.h"

#include <algorithm>

#include "encrypted/detail/check_program.h"

namespace sinter::encrypted {

void check(const EncryptedProgram& program) {
  require(!program.instructions.empty(), ErrorKind::bad_input, "program: no instructions");
  detail::check_tables(program);
  detail::check_interface(program, detail::check_values(program));
  detail::check_used(program);
  require(program.keys == needed_keys(program), ErrorKind::bad_input,
          "program: the key manifest is not what the instructions use");
}

ckks::KeyManifest needed_keys(const EncryptedProgram& program) {
  ckks::KeyManifest keys;
  const i64 slots = program.slots();
  for (const Instruction& i : program.instructions) {
    if (i.op == Opcode::fold) keys.add_rotation(i.steps, i.level, slots);
    if (i.op == Opcode::linear)
      for (i64 steps : program.maps[size_t(i.table)].plan(slots).rotations)
        keys.add_rotation(steps, i.level, slots);
    if (i.op == Opcode::square || i.op == Opcode::multiply)
      keys.relinearisation_level = std::max(keys.relinearisation_level, i.level);
  }
  for (const ckks::BootstrapOptions& options : program.bootstraps)  // each is used
    keys.merge(ckks::outline_bootstrap(program.params, options).manifest);
  return keys;
}

}  // namespace sinter::encrypted
