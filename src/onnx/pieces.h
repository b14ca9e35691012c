// SPDX-License-Identifier: Apache-2.0
// Messages whose constants stay where they are until they are written, and the data file that large
// ones go to. Memory stays small whatever the model's size.
#pragma once
#include <filesystem>
#include <iterator>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "onnx/tensor_proto.h"

namespace sinter::onnx {

using protozero::pbf_writer;

inline void put(pbf_writer& w, int tag, std::string_view s) {
  w.add_string(u32(tag), s.data(), s.size());
}

/// A message as texts of its own and borrowed bytes between them.
class Pieces {
 public:
  void add(std::string_view text) {
    if (parts_.empty() || !parts_.back().borrowed.empty()) parts_.emplace_back();
    parts_.back().text += text;
    size_ += std::ssize(text);
  }
  void add(std::span<const std::byte> borrowed) {
    if (borrowed.empty()) return;
    if (parts_.empty() || !parts_.back().borrowed.empty()) parts_.emplace_back();
    parts_.back().borrowed = borrowed;
    size_ += std::ssize(borrowed);
  }
  void add(Pieces&& other) {
    size_ += other.size_;
    for (Part& p : other.parts_) parts_.push_back(std::move(p));
  }
  /// Tag and length of a length-delimited field whose bytes follow.
  void add_header(u32 tag, i64 length) {
    std::string text;
    protozero::write_varint(std::back_inserter(text), tag << 3 | 2);
    protozero::write_varint(std::back_inserter(text), u64(length));
    add(text);
  }
  void add_message(u32 tag, Pieces&& message) {
    add_header(tag, message.size());
    add(std::move(message));
  }
  void add_message(u32 tag, std::string_view message) {
    add_header(tag, std::ssize(message));
    add(message);
  }
  i64 size() const { return size_; }
  template <class Write>
  void each(const Write& write) const {
    for (const Part& p : parts_) {
      write(std::as_bytes(std::span(p.text.data(), p.text.size())));
      write(p.borrowed);
    }
  }

 private:
  struct Part {
    std::string text;
    std::span<const std::byte> borrowed;
  };
  std::vector<Part> parts_;
  i64 size_ = 0;
};

/// `<model>.data`, streamed; there only once committed. The same tensor is written once.
class DataFile {
 public:
  explicit DataFile(const std::filesystem::path& path) : file_(path), path_(path) {}
  /// A TensorProto that points to the bytes.
  std::string add(const Tensor& t, std::string_view name) {
    const i64 offset = offset_of(t);
    std::string out = proto_head(t, name);
    pbf_writer w(out);
    entry(w, "location", path_.filename().string());
    entry(w, "offset", std::to_string(offset));
    entry(w, "length", std::to_string(t.byte_size()));
    w.add_enum(14, 1);
    return out;
  }
  void commit() { file_.commit(); }

 private:
  // Offsets at which a tensor can be mapped: a page, 64 KiB for those above 1 MiB.
  static constexpr i64 kPage = 4096, kLargePage = 65536, kLarge = i64(1) << 20;

  i64 offset_of(const Tensor& t) {
    const auto known = offsets_.find(&t);
    if (known != offsets_.end()) return known->second;
    const i64 step = t.byte_size() > kLarge ? kLargePage : kPage;
    file_.write(
        std::vector<std::byte>(static_cast<size_t>((step - file_.position() % step) % step)));
    const i64 offset = file_.position();
    file_.stream(t.raw());
    return offsets_[&t] = offset;
  }
  static void entry(pbf_writer& w, std::string_view key, const std::string& value) {
    pbf_writer e(w, 13);
    put(e, 1, key);
    put(e, 2, value);
  }
  AtomicFile file_;
  std::filesystem::path path_;
  std::map<const Tensor*, i64> offsets_;
};

}  // namespace sinter::onnx
