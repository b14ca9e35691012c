// SPDX-License-Identifier: Apache-2.0
// The files of `sinter infer`: every input file holds the ciphertexts of one or several runs of the
// program, and its output file is written when the last of its results is there.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/files.h"

namespace sinter::cli {

/// Borrows the program. thread: owned by one.
class InferFiles {
 public:
  /// throws  as read_ciphertexts
  InferFiles(const LoadedProgram& loaded, const std::vector<std::string>& inputs,
             std::vector<std::filesystem::path> outputs);

  /// Runs of all files together.
  i64 runs() const { return std::ssize(places_); }
  /// The ciphertexts of one run. throws Error(bad_input) when one is damaged
  std::vector<ckks::Ciphertext> run(i64 run) const;

  struct Written {
    std::string input, output;
    i64 images, bytes;
    int level;
  };
  /// Takes the result of a run, in any order; what was written if its file is complete now.
  std::optional<Written> add(i64 run, ckks::Ciphertext result);

 private:
  struct File {
    std::string input;
    std::filesystem::path output;
    CiphertextFile ciphertexts;
    std::vector<ckks::Ciphertext> results;
    i64 left;
  };
  struct Place {
    size_t file;
    i64 run;  ///< of the file
  };
  const LoadedProgram& loaded_;
  std::vector<File> files_;
  std::vector<Place> places_;
};

}  // namespace sinter::cli
