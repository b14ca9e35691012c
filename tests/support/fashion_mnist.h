// SPDX-License-Identifier: Apache-2.0
// The Fashion-MNIST files of Debian's dataset-fashion-mnist: gzipped IDX.
//   images  0x00000803, count, rows, columns (big-endian), then one byte a pixel
//   labels  0x00000801, count, then one byte a label
#pragma once
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "graph/tensor.h"

namespace sinter::testing_support {

inline constexpr const char* kFashionMnistFolder = "/usr/share/datasets/fashion-mnist";

/// A whole gzip file.
/// throws  Error(io) when it cannot be read to its end
inline std::vector<u8> read_gzip(const std::filesystem::path& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  require(file != nullptr, ErrorKind::io, path.string(), ": cannot be opened");
  std::vector<u8> all;
  constexpr int kPiece = 1 << 20;
  while (true) {
    const size_t before = all.size();
    all.resize(before + kPiece);
    const int got = gzread(file.get(), all.data() + before, kPiece);
    require(got >= 0, ErrorKind::io, path.string(), ": is not a whole gzip file");
    all.resize(before + size_t(got));
    if (got == 0) return all;
  }
}

struct FashionMnist {
  i64 count = 0, rows = 0, columns = 0;
  std::vector<u8> pixels;  ///< [count, rows, columns]
  std::vector<u8> labels;  ///< [count], 0 to 9
};

namespace detail {

inline i64 big_endian(const std::vector<u8>& bytes, size_t at) {
  require(at + 4 <= bytes.size(), ErrorKind::bad_input, "IDX file: ends inside its header");
  return i64(bytes[at]) << 24 | i64(bytes[at + 1]) << 16 | i64(bytes[at + 2]) << 8 | bytes[at + 3];
}

}  // namespace detail

/// `part` is "t10k" (10,000 test images) or "train" (60,000).
inline FashionMnist read_fashion_mnist(const std::string& part,
                                       const std::filesystem::path& folder = kFashionMnistFolder) {
  const std::vector<u8> images = read_gzip(folder / (part + "-images-idx3-ubyte.gz"));
  const std::vector<u8> labels = read_gzip(folder / (part + "-labels-idx1-ubyte.gz"));
  FashionMnist set;
  set.count = detail::big_endian(images, 4);
  set.rows = detail::big_endian(images, 8), set.columns = detail::big_endian(images, 12);
  require(detail::big_endian(images, 0) == 0x803 && detail::big_endian(labels, 0) == 0x801 &&
              detail::big_endian(labels, 4) == set.count &&
              std::ssize(images) == 16 + set.count * set.rows * set.columns &&
              std::ssize(labels) == 8 + set.count,
          ErrorKind::bad_input, (folder / part).string(), ": not a pair of IDX files");
  set.pixels.assign(images.begin() + 16, images.end());
  set.labels.assign(labels.begin() + 8, labels.end());
  return set;
}

/// Images first .. first+count-1 as f32 [count,1,size,size]: padded with 0 on all sides, then
/// value = pixel * (2/255) - 1, computed in double and rounded once.
inline Tensor padded_images(const FashionMnist& set, i64 first, i64 count, i64 size = 32) {
  Tensor x(DType::f32, {count, 1, size, size});
  const std::span<float> to = x.mutable_data<float>();
  std::fill(to.begin(), to.end(), -1.f);
  const i64 top = (size - set.rows) / 2, left = (size - set.columns) / 2;
  for (i64 n = 0; n < count; ++n)
    for (i64 r = 0; r < set.rows; ++r)
      for (i64 c = 0; c < set.columns; ++c)
        to[size_t((n * size + r + top) * size + c + left)] =
            float(double(set.pixels[size_t(((first + n) * set.rows + r) * set.columns + c)]) *
                      (2.0 / 255) -
                  1.0);
  return x;
}

/// The class with the largest of `classes` scores.
inline i64 best_class(std::span<const float> scores) {
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

}  // namespace sinter::testing_support
