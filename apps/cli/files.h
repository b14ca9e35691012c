// SPDX-License-Identifier: Apache-2.0
// Files of encrypted inference that both sides read: programs, and the folders results go to.
#pragma once
#include <filesystem>
#include <memory>

#include "ckks/ciphertext.h"
#include "ckks/context.h"
#include "encrypted/program.h"

namespace sinter::cli {

/// A program with the context of its parameters.
struct LoadedProgram {
  std::shared_ptr<const encrypted::EncryptedProgram> program;
  std::shared_ptr<const ckks::Context> context;
};

/// throws  Error(io), Error(bad_input) naming the file
LoadedProgram read_program(const std::filesystem::path& path);

/// throws  Error(io), Error(bad_input) naming the file
ckks::Ciphertext read_ciphertext(const ckks::Context& context, const std::filesystem::path& path);
/// out  bytes written
i64 write_ciphertext(const ckks::Context& context, const ckks::Ciphertext& ciphertext,
                     const std::filesystem::path& path);

/// throws  Error(io) now when nothing could be written at `path` later: its folder is missing, is
///         no folder, or `path` is a folder. Saves minutes of work whose result has no place.
void require_writable(const std::filesystem::path& path);

}  // namespace sinter::cli
