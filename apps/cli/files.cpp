// SPDX-License-Identifier: Apache-2.0
#include "cli/files.h"

#include "base/error.h"
#include "base/file.h"
#include "ckks/serialize.h"
#include "encrypted/serialize.h"

namespace sinter::cli {

LoadedProgram read_program(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  LoadedProgram loaded;
  loaded.program = encrypted::load_program(file->bytes(), path.string());
  loaded.context = ckks::Context::create(loaded.program->params);
  return loaded;
}

ckks::Ciphertext read_ciphertext(const ckks::Context& context, const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return ckks::load_ciphertext(context, file->bytes(), path.string());
}

i64 write_ciphertext(const ckks::Context& context, const ckks::Ciphertext& ciphertext,
                     const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = ckks::save_ciphertext(context, ciphertext);
  write_file(path, bytes);
  return std::ssize(bytes);
}

void require_writable(const std::filesystem::path& path) {
  std::error_code error;
  require(!std::filesystem::is_directory(path, error), ErrorKind::io, path.string(),
          ": cannot write: it is a folder");
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  require(std::filesystem::is_directory(folder, error), ErrorKind::io, path.string(),
          ": cannot write: ", folder.string(), " is not a folder");
}

}  // namespace sinter::cli
