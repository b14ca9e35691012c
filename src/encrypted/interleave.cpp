// SPDX-License-Identifier: Apache-2.0
#include "encrypted/interleave.h"

namespace sinter::encrypted {
namespace {

std::shared_ptr<const Patterns> widened(const Patterns& patterns, i64 images) {
  Patterns wide = patterns;
  for (Pattern& p : wide)
    for (u32* slots : {&p.length, &p.stride0, &p.stride1}) *slots *= u32(images);
  return std::make_shared<const Patterns>(std::move(wide));
}

void widen(SlotVector& v, i64 images, std::shared_ptr<const Patterns> patterns) {
  v.period *= images;
  for (Run& run : v.runs) run.start *= u32(images);
  v.patterns = std::move(patterns);
}

void widen(LinearMap& map, i64 images) {
  for (i64* slots : {&map.in_period, &map.out_period, &map.baby_count}) *slots *= images;
  for (i64& index : map.indices) index *= images;
  // The rows of a map share their patterns.
  std::shared_ptr<const Patterns> narrow, wide;
  for (SlotVector& row : map.rows) {
    if (row.patterns != narrow) {
      narrow = row.patterns;
      wide = widened(*narrow, images);
    }
    widen(row, images, wide);
  }
}

/// The input's map: places [slot][image] in place of [slot].
std::vector<i32> widened(const std::vector<i32>& elements, i64 images, i64 image_size) {
  std::vector<i32> wide;
  for (i32 e : elements)
    for (i64 image = 0; image < images; ++image)
      wide.push_back(e < 0 ? -1 : i32(image * image_size) + e);
  return wide;
}

}  // namespace

void interleave(EncryptedProgram& program, i64 images) {
  SINTER_ASSERT(program.batch == 1 && images >= 1);
  if (images == 1) return;
  program.batch = images;
  for (Instruction& i : program.instructions) {
    i.steps *= images;
    i.period *= images;
    SINTER_ASSERT(i.period <= program.slots());
  }
  for (LinearMap& map : program.maps) widen(map, images);
  for (SlotVector& v : program.vectors) widen(v, images, widened(*v.patterns, images));
  const i64 image_size = element_count(program.input_dims);
  for (std::vector<i32>& elements : program.input_elements)
    elements = widened(elements, images, image_size);
  std::vector<i32> slots;
  for (i64 image = 0; image < images; ++image)
    for (i32 s : program.output_slots) slots.push_back(i32(s * images + image));
  program.output_slots = std::move(slots);
}

}  // namespace sinter::encrypted
