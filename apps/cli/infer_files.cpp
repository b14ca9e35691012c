// SPDX-License-Identifier: Apache-2.0
#include "cli/infer_files.h"

#include <utility>

namespace sinter::cli {

InferFiles::InferFiles(const LoadedProgram& loaded, const std::vector<std::string>& inputs,
                       std::vector<std::filesystem::path> outputs)
    : loaded_(loaded) {
  for (size_t f = 0; f < inputs.size(); ++f) {
    CiphertextFile file = read_ciphertexts(loaded, inputs[f], loaded.program->input_count());
    const i64 runs = file.bundle.runs();
    files_.push_back({inputs[f], std::move(outputs[f]), std::move(file), {}, runs});
    files_.back().results.resize(size_t(runs));
    for (i64 run = 0; run < runs; ++run) places_.push_back({f, run});
  }
}

std::vector<ckks::Ciphertext> InferFiles::run(i64 run) const {
  const Place& place = places_[size_t(run)];
  return files_[place.file].ciphertexts.bundle.run(place.run);
}

std::optional<InferFiles::Written> InferFiles::add(i64 run, ckks::Ciphertext result) {
  const Place& place = places_[size_t(run)];
  File& file = files_[place.file];
  const int level = result.level();
  file.results[size_t(place.run)] = std::move(result);
  if (--file.left > 0) return std::nullopt;
  const i64 images = file.ciphertexts.bundle.images();
  const i64 bytes = write_ciphertexts(*loaded_.context, file.results, 1, images, file.output);
  file.results.clear();
  return Written{file.input, file.output.string(), images, bytes, level};
}

}  // namespace sinter::cli
