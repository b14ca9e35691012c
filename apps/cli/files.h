// SPDX-License-Identifier: Apache-2.0
// Files of the commands: programs and ciphertexts, which both sides read, and the rules for what
// may be written where. A result never replaces one of the files it was made from, nor a secret
// key.
#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "ckks/bundle.h"
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

/// A file of ciphertexts, mapped.
struct CiphertextFile {
  std::shared_ptr<const MappedFile> file;
  ckks::Bundle bundle;
};

/// throws  Error(io), Error(bad_input) naming the file; Error(bad_argument) when it does not hold
///         `per_run` ciphertexts for every run of the program, or is of another program
CiphertextFile read_ciphertexts(const LoadedProgram& loaded, const std::filesystem::path& path,
                                i64 per_run);
/// out  bytes written
i64 write_ciphertexts(const ckks::Context& context, std::span<const ckks::Ciphertext> ciphertexts,
                      i64 per_run, i64 images, const std::filesystem::path& path);

/// How many of `images` are in run `run` of the program.
i64 images_of_run(const encrypted::EncryptedProgram& program, i64 images, i64 run);

/// Whether both paths lead to one file, which need not exist yet: relative, absolute and symbolic
/// links are followed.
bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b);

/// Empty inputs stand for options that were not given and are passed over.
/// throws  Error(bad_argument) naming both when `output` is one of `inputs`
void refuse_same_file(const std::filesystem::path& output, const std::vector<std::string>& inputs);

/// throws  Error(bad_argument) when a saved secret key lies at `path`, judged by its header
void refuse_secret_key(const std::filesystem::path& path);

/// Tries it: makes a temporary file beside `path` and removes it again. Saves minutes of work whose
/// result has no place.
/// throws  Error(io) when nothing could be written at `path` later: its folder is missing, is no
///         folder or is closed to us, or `path` exists and is not a regular file
void require_writable(const std::filesystem::path& path);

/// What every command asks before it works: the three checks above.
void require_output(const std::filesystem::path& path, const std::vector<std::string>& inputs);

/// Parameters without a security claim are said to be so on stderr.
void warn_if_insecure(const ckks::CkksParams& params);

}  // namespace sinter::cli
