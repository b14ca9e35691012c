// SPDX-License-Identifier: Apache-2.0
// Files: mapped input, and output that is complete or not there at all.
#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/base/base_support.h"

namespace sinter {
namespace {

using test::expect_error;
namespace fs = std::filesystem;

/// A fresh folder per test, removed afterwards.
class File : public testing::Test {
 protected:
  File() {
    std::string pattern = (fs::temp_directory_path() / "sinter_file_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~File() override { fs::remove_all(folder_); }
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  }
  static std::string read(const fs::path& path) {
    const auto file = MappedFile::open(path);
    const auto data = file->bytes();
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }
  i64 entries() const { return std::distance(fs::directory_iterator(folder_), {}); }
  fs::path folder_;
};

TEST_F(File, comes_back_as_it_was_written) {
  write_file(folder_ / "a", bytes("hello"));
  EXPECT_EQ(read(folder_ / "a"), "hello");
  write_file(folder_ / "a", bytes(""));
  EXPECT_EQ(read(folder_ / "a"), "");
  EXPECT_EQ(entries(), 1);
}

TEST_F(File, uncommitted_output_leaves_the_old_file_and_no_other) {
  write_file(folder_ / "a", bytes("old"));
  {
    AtomicFile file(folder_ / "a");
    file.write(bytes("new and long"));
    EXPECT_EQ(file.position(), 12);
    EXPECT_EQ(read(folder_ / "a"), "old");
  }
  EXPECT_EQ(read(folder_ / "a"), "old");
  EXPECT_EQ(entries(), 1);
  AtomicFile file(folder_ / "a");
  file.write(bytes("ne"));
  file.write(bytes("w"));
  file.commit();
  EXPECT_EQ(read(folder_ / "a"), "new");
  EXPECT_EQ(entries(), 1);
}

TEST_F(File, a_mapping_survives_the_replacement_of_its_file) {
  write_file(folder_ / "a", bytes("old"));
  const auto before = MappedFile::open(folder_ / "a");
  write_file(folder_ / "a", bytes("newer"));
  EXPECT_EQ(char(before->bytes()[0]), 'o');
  EXPECT_EQ(read(folder_ / "a"), "newer");
}

TEST_F(File, bytes_written_before_can_be_replaced_and_others_cannot) {
  AtomicFile file(folder_ / "a");
  file.write(bytes("0123456789"));
  file.write_at(2, bytes("xyz"));
  file.write(bytes("end"));
  EXPECT_EQ(file.position(), 13);
  expect_error(ErrorKind::internal, "position", [&] { file.write_at(12, bytes("xy")); });
  expect_error(ErrorKind::internal, "position", [&] { file.write_at(-1, bytes("xy")); });
  file.commit();
  EXPECT_EQ(read(folder_ / "a"), "01xyz56789end");
}

TEST_F(File, advice_changes_nothing_that_can_be_read) {
  write_file(folder_ / "a", bytes(std::string(20000, 'a')));
  const auto file = MappedFile::open(folder_ / "a");
  for (bool is_needed : {true, false})
    for (i64 offset : {0, 1, 4096, 19999}) file->advise(offset, 20000 - offset, is_needed);
  for (std::byte b : file->bytes()) ASSERT_EQ(char(b), 'a');
}

TEST_F(File, has_the_permissions_of_the_umask) {
  const mode_t old = ::umask(027);
  write_file(folder_ / "a", bytes("x"));
  ::umask(old);
  EXPECT_EQ(fs::status(folder_ / "a").permissions(), fs::perms(0640));
}

TEST_F(File, what_cannot_be_opened_or_written_names_its_path) {
  expect_error(ErrorKind::io, "missing: cannot open: No such file",
               [&] { MappedFile::open(folder_ / "missing"); });
  expect_error(ErrorKind::io, "not a regular file", [&] { MappedFile::open(folder_); });
  expect_error(ErrorKind::io, "cannot write",
               [&] { write_file(folder_ / "no" / "a", bytes("x")); });
  fs::create_directory(folder_ / "taken");
  fs::create_directory(folder_ / "taken" / "by");
  expect_error(ErrorKind::io, "cannot write", [&] { write_file(folder_ / "taken", bytes("x")); });
  EXPECT_EQ(entries(), 1);  // nothing temporary is left
}

}  // namespace
}  // namespace sinter
