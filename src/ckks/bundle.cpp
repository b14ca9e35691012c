// SPDX-License-Identifier: Apache-2.0
#include "ckks/bundle.h"

#include <algorithm>

#include "base/error.h"
#include "ckks/detail/frame.h"

namespace sinter::ckks {
namespace {

constexpr i64 kDigestBytes = 32, kDigestOffset = 32;
constexpr i64 kMaxImages = i64(1) << 40;

/// The digest that a saved object's header announces.
std::span<const std::byte> digest_of(std::span<const std::byte> saved) {
  return saved.subspan(size_t(kDigestOffset), size_t(kDigestBytes));
}

bool is_same(const Origin& a, const Origin& b) { return a.key == b.key && a.program == b.program; }

}  // namespace

std::vector<std::byte> save_bundle(const Context& context, std::span<const Ciphertext> ciphertexts,
                                   i64 per_run, i64 images) {
  const i64 count = std::ssize(ciphertexts);
  require(per_run >= 1 && count >= 1 && count % per_run == 0 && images >= 1,
          ErrorKind::bad_argument, "save_bundle: ", count, " ciphertexts, ", per_run, " a run, of ",
          images, " images");
  const Origin origin = ciphertexts[0].origin();
  ByteWriter index, entries;
  index.u64_(origin.key);
  index.u64_(origin.program);
  index.i64_(images);
  index.i64_(per_run);
  index.i64_(count);
  for (const Ciphertext& ciphertext : ciphertexts) {
    require(is_same(ciphertext.origin(), origin), ErrorKind::bad_argument,
            "save_bundle: ciphertexts of different keys or programs");
    const std::vector<std::byte> saved = save_ciphertext(context, ciphertext);
    index.i64_(std::ssize(saved));
    index.bytes(digest_of(saved));
    entries.bytes(saved);
  }
  std::vector<std::byte> out =
      detail::seal(ObjectKind::bundle, context.params().hash(), index.view());
  out.insert(out.end(), entries.view().begin(), entries.view().end());
  return out;
}

Bundle::Bundle(const Context& context, std::span<const std::byte> data, std::string name)
    : context_(context), name_(std::move(name)) {
  const u64 hash = context.params().hash();
  const detail::Frame frame = detail::open(data, name_, ObjectKind::bundle, &hash);
  ByteReader in(frame.payload, name_);
  origin_.key = in.u64_();
  origin_.program = in.u64_();
  images_ = in.i64_();
  per_run_ = in.i64_();
  const i64 count = in.count(8 + kDigestBytes);
  require(
      per_run_ >= 1 && count >= 1 && count % per_run_ == 0 && images_ >= 1 && images_ <= kMaxImages,
      ErrorKind::bad_input, name_, ": ", count, " ciphertexts, ", per_run_, " a run, of ", images_,
      " images");
  std::span<const std::byte> rest = frame.rest;
  for (i64 k = 0; k < count; ++k) {
    const i64 bytes = in.i64_();
    const std::span<const std::byte> digest = in.bytes(kDigestBytes);
    require(bytes >= detail::kHeaderBytes && bytes <= std::ssize(rest), ErrorKind::bad_input, name_,
            ": truncated: ciphertext ", k, " has ", bytes, " bytes, found ", rest.size());
    entries_.push_back({rest.first(size_t(bytes)), digest});
    rest = rest.subspan(size_t(bytes));
  }
  in.expect_end();
  require(rest.empty(), ErrorKind::bad_input, name_, ": ", rest.size(), " bytes follow the end");
}

std::vector<Ciphertext> Bundle::run(i64 r) const {
  require(r >= 0 && r < runs(), ErrorKind::bad_argument, name_, ": expected a run of 0 to ",
          runs() - 1, ", found ", r);
  std::vector<Ciphertext> ciphertexts;
  for (i64 k = r * per_run_; k < (r + 1) * per_run_; ++k) {
    const Entry& entry = entries_[size_t(k)];
    const std::string which =
        entries_.size() == 1 ? name_ : name_ + ": ciphertext " + std::to_string(k);
    const auto found = digest_of(entry.bytes);
    require(std::equal(found.begin(), found.end(), entry.digest.begin()), ErrorKind::bad_input,
            which, " is not the one that belongs here");
    ciphertexts.push_back(load_ciphertext(context_, entry.bytes, which));
    require(is_same(ciphertexts.back().origin(), origin_), ErrorKind::bad_input, which,
            " belongs to another key or program than the file");
  }
  return ciphertexts;
}

}  // namespace sinter::ckks
