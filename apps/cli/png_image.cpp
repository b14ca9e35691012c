// SPDX-License-Identifier: Apache-2.0
// libpng reports errors by a callback that must not return. Ours throws; the C frames in between
// hold nothing that needs unwinding but libpng's own structures, which the guard below destroys.
#include "cli/png_image.h"

#include <png.h>

#include <cstring>

namespace sinter::cli {
namespace {

constexpr png_uint_32 kMaxSide = 16384;

struct Source {
  std::span<const std::byte> left;
  const std::string& name;
};

void on_error(png_structp png, png_const_charp message) {
  const auto* source = static_cast<const Source*>(png_get_error_ptr(png));
  fail(ErrorKind::bad_input, source->name, ": damaged PNG: ", message);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  require(count <= source->left.size(), ErrorKind::bad_input, source->name, ": truncated PNG");
  std::memcpy(out, source->left.data(), count);
  source->left = source->left.subspan(count);
}

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

}  // namespace

bool is_png(std::span<const std::byte> data) {
  return data.size() >= 8 && png_sig_cmp(reinterpret_cast<png_const_bytep>(data.data()), 0, 8) == 0;
}

Tensor read_png(std::span<const std::byte> data, const std::string& name) {
  Source source{data, name};
  Reader reader;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_error, on_warning);
  SINTER_ASSERT(reader.png != nullptr);
  reader.info = png_create_info_struct(reader.png);
  SINTER_ASSERT(reader.info != nullptr);
  png_set_user_limits(reader.png, kMaxSide, kMaxSide);
  png_set_read_fn(reader.png, &source, on_read);
  png_read_info(reader.png, reader.info);

  const i64 width = png_get_image_width(reader.png, reader.info);
  const i64 height = png_get_image_height(reader.png, reader.info);
  const int kind = png_get_color_type(reader.png, reader.info);
  require((kind & PNG_COLOR_MASK_ALPHA) == 0 &&
              png_get_valid(reader.png, reader.info, PNG_INFO_tRNS) == 0,
          ErrorKind::unsupported, name,
          ": PNG with transparency: expected grey or RGB; save it without the alpha channel");
  const bool wide = png_get_bit_depth(reader.png, reader.info) == 16;
  png_set_expand(reader.png);
  if (wide) png_set_swap(reader.png);
  (void)png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  const i64 channels = png_get_channels(reader.png, reader.info), item = wide ? 2 : 1;
  const i64 row_bytes = i64(png_get_rowbytes(reader.png, reader.info));
  require((channels == 1 || channels == 3) && row_bytes == width * channels * item,
          ErrorKind::unsupported, name, ": PNG with ", channels, " channels: expected 1 or 3");

  std::vector<png_byte> pixels(size_t(row_bytes * height));
  std::vector<png_bytep> rows;
  for (i64 y = 0; y < height; ++y) rows.push_back(pixels.data() + y * row_bytes);
  png_read_image(reader.png, rows.data());
  png_read_end(reader.png, nullptr);

  Tensor tensor(wide ? DType::u16 : DType::u8, {1, channels, height, width});
  std::byte* out = tensor.mutable_raw().data();
  for (i64 c = 0; c < channels; ++c)
    for (i64 p = 0; p < height * width; ++p, out += item)
      std::memcpy(out, pixels.data() + (p * channels + c) * item, size_t(item));
  return tensor;
}

}  // namespace sinter::cli
