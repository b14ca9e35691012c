// SPDX-License-Identifier: Apache-2.0
#include "cli/files.h"

#include <fmt/format.h>

#include <fstream>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "ckks/serialize.h"
#include "encrypted/serialize.h"

namespace sinter::cli {
namespace {

namespace fs = std::filesystem;

/// `path` without links, "." and "..". A link whose target is missing is followed too: the file
/// that would be read through it later is the target.
fs::path resolved(fs::path path) {
  constexpr int kMaxLinks = 40;  // of a chain; a longer one is a loop
  std::error_code error;
  path = fs::absolute(path, error);
  for (int i = 0; i < kMaxLinks && fs::is_symlink(path, error); ++i)
    path = path.parent_path() / fs::read_symlink(path, error);
  const fs::path canonical = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : canonical;
}

/// A stream of a process (/dev/stdout, /dev/fd/1): a renamed file would take the place of the link.
bool is_stream(fs::path path) {
  constexpr int kMaxLinks = 40;
  std::error_code error;
  for (int i = 0; i < kMaxLinks; ++i) {
    const fs::path folder = fs::canonical(path.has_parent_path() ? path.parent_path() : ".", error);
    if (folder.string().starts_with("/proc/")) return true;
    if (!fs::is_symlink(path, error)) return false;
    path = folder / fs::read_symlink(path, error);
  }
  return true;
}

}  // namespace

LoadedProgram read_program(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  LoadedProgram loaded;
  loaded.program = encrypted::load_program(file->bytes(), path.string());
  loaded.context = ckks::Context::create(loaded.program->params);
  return loaded;
}

CiphertextFile read_ciphertexts(const LoadedProgram& loaded, const std::filesystem::path& path,
                                i64 per_run) {
  const auto file = MappedFile::open(path);
  ckks::Bundle bundle(*loaded.context, file->bytes(), path.string());
  const encrypted::EncryptedProgram& program = *loaded.program;
  const u64 made_for = bundle.origin().program;
  require(made_for == 0 || made_for == program.hash, ErrorKind::bad_argument, path.string(),
          ": is of program ", std::hex, made_for, ", this is program ", program.hash,
          "; encrypt for this program");
  const i64 runs = (bundle.images() - 1) / program.batch + 1;
  require(bundle.per_run() == per_run && bundle.runs() == runs, ErrorKind::bad_argument,
          path.string(), ": expected ", runs, " runs of ", per_run, " ciphertexts for ",
          bundle.images(), " images, found ", bundle.runs(), " of ", bundle.per_run());
  return {file, std::move(bundle)};
}

i64 write_ciphertexts(const ckks::Context& context, std::span<const ckks::Ciphertext> ciphertexts,
                      i64 per_run, i64 images, const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = ckks::save_bundle(context, ciphertexts, per_run, images);
  write_file(path, bytes);
  return std::ssize(bytes);
}

i64 images_of_run(const encrypted::EncryptedProgram& program, i64 images, i64 run) {
  return std::min(program.batch, images - run * program.batch);
}

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code error;
  if (fs::exists(a, error) && fs::exists(b, error)) return fs::equivalent(a, b, error);
  return resolved(a) == resolved(b);
}

void refuse_same_file(const fs::path& output, const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs)
    require(input.empty() || !is_same_file(output, input), ErrorKind::bad_argument, output.string(),
            ": names the same file as ", input, ": expected an output that is no input");
}

void refuse_secret_key(const fs::path& path) {
  constexpr i64 kPrefix = 16;  // magic, version, kind
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return;
  std::string head(size_t(kPrefix), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), kPrefix);
  if (file.gcount() < kPrefix || !head.starts_with("SNTRCKKS")) return;
  ByteReader in(std::as_bytes(std::span(head)).subspan(12), path.string());
  require(in.u32_() != u32(ckks::ObjectKind::secret_key), ErrorKind::bad_argument, path.string(),
          ": holds a secret key, which cannot be made again: choose another name");
}

void require_writable(const fs::path& path) {
  std::error_code error;
  require(!path.empty(), ErrorKind::bad_argument,
          "output: expected the name of a file, found an empty one");
  require(path != "-", ErrorKind::bad_argument,
          "output: expected the name of a file, found '-': results are not written to streams; a "
          "file of this name is ./-");
  require(!is_stream(path), ErrorKind::io, path.string(),
          ": cannot write: it is not a regular file but a stream: expected the name of a file");
  require(!fs::is_directory(path, error), ErrorKind::io, path.string(),
          ": cannot write: it is a folder");
  require(!fs::exists(path, error) || fs::is_regular_file(path, error), ErrorKind::io,
          path.string(), ": cannot write: it is not a regular file");
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  require(fs::is_directory(folder, error), ErrorKind::io, path.string(),
          ": cannot write: ", folder.string(), " is not a folder");
  const AtomicFile probe(path);  // never committed
}

void require_output(const fs::path& path, const std::vector<std::string>& inputs) {
  refuse_same_file(path, inputs);
  refuse_secret_key(path);
  require_writable(path);
}

void warn_if_insecure(const ckks::CkksParams& params) {
  if (params.options().security == ckks::Security::bits128) return;
  fmt::print(stderr, "sinter: warning: {}\n", params.security_text());
}

}  // namespace sinter::cli
