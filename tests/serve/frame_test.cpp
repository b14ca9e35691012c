// SPDX-License-Identifier: Apache-2.0
// Frames: what is sent arrives, what is damaged, foreign, too large or cut off is refused.
#include "serve/frame.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "serve/local_transport.h"
#include "serve/socket_transport.h"

namespace sinter::serve {
namespace {

std::vector<std::byte> bytes_of(const Frame& frame) {
  std::vector<std::byte> all(frame.header.begin(), frame.header.end());
  for (const Payload::Piece& piece : frame.payload->pieces())
    all.insert(all.end(), piece.begin(), piece.end());
  return all;
}

std::shared_ptr<const Payload> random_payload(i64 size) {
  Rng rng(7);
  const auto payload = std::make_shared<Payload>(size);
  for (std::byte& b : payload->buffer()) b = std::byte(rng.below(256));
  return payload;
}

/// The same bytes in pieces: a head and rests of odd lengths, one of them empty.
std::shared_ptr<const Payload> in_pieces(const std::shared_ptr<const Payload>& whole) {
  const Payload::Piece all = whole->bytes();
  const size_t third = all.size() / 3;
  const std::vector<Payload::Piece> rest = {all.subspan(7, third), all.subspan(7 + third, 0),
                                            all.subspan(7 + third)};
  return std::make_shared<const Payload>(all.first(7), rest, whole);
}

template <class Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

bool is_readable(int socket) {
  pollfd waiting{socket, POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

TEST(Frame, every_flipped_bit_is_noticed) {
  const Frame frame = make_frame({FrameKind::value, 3, 4, 5}, random_payload(40));
  std::vector<std::byte> bytes = bytes_of(frame);
  const Frame read = parse_frame(bytes, 100, "peer");
  EXPECT_EQ(read.info.request, 3u);
  EXPECT_EQ(bytes_of(read), bytes);
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= std::byte(1 << bit);
      EXPECT_NE(error_of([&] { parse_frame(bytes, 100, "peer"); }).find("peer: "),
                std::string::npos)
          << "byte " << i << " bit " << bit;
      bytes[i] ^= std::byte(1 << bit);
    }
}

TEST(Frame, pieces_have_the_bytes_and_the_checksum_of_one_buffer) {
  for (i64 size : {30, 1000, 100000}) {
    const auto whole = random_payload(size);
    const auto pieces = in_pieces(whole);
    ASSERT_EQ(pieces->size(), size);
    ASSERT_EQ(pieces->pieces().size(), 3u);
    const FrameInfo info{FrameKind::value, 1, 2, 3};
    EXPECT_EQ(bytes_of(make_frame(info, pieces)), bytes_of(make_frame(info, whole)));
    for (i64 from : {i64(0), i64(6), i64(7), size / 3 + 3, size - 1}) {
      std::vector<std::byte> some(size_t(std::min(size - from, size / 2)));
      pieces->copy_to(some, from);
      EXPECT_TRUE(std::ranges::equal(some, whole->bytes().subspan(size_t(from), some.size())));
    }
  }
}

TEST(Frame, large_short_and_unknown_frames_are_refused) {
  const std::vector<std::byte> bytes =
      bytes_of(make_frame({FrameKind::ping, 0, 0, 0}, random_payload(40)));
  EXPECT_NE(error_of([&] { parse_frame(bytes, 39, "p"); }).find("at most 39 bytes, found 40"),
            std::string::npos);
  EXPECT_NE(error_of([&] { parse_frame(std::span(bytes).first(63), 100, "p"); }), "");
  EXPECT_NE(error_of([&] { parse_frame(std::span(bytes).first(90), 100, "p"); }), "");
  for (u32 kind : {0u, 11u, 0xFFFFFFFFu})
    EXPECT_NE(error_of([&] {
                parse_frame(bytes_of(make_frame({FrameKind(kind), 0, 0, 0})), 100, "p");
              }).find("kind of frame"),
              std::string::npos);
}

TEST(Transport, frames_cross_a_socket_in_order_and_whole) {
  auto [a, b] = make_socket_pair();
  const TransportLimits limits{i64(1) << 24, 5};
  const auto left = make_socket_transport(std::move(a), "right", limits);
  const auto right = make_socket_transport(std::move(b), "left", limits);
  const std::vector<i64> sizes = {0, 1, 1000, i64(1) << 23, 5};
  std::thread sender([&] {
    for (i64 size : sizes)
      left->send(make_frame({FrameKind::value, u64(size), 0, 0}, random_payload(size)->bytes()));
  });
  for (i64 size : sizes) {
    const std::optional<Frame> frame = right->receive(5);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->info.request, u64(size));
    EXPECT_TRUE(std::ranges::equal(frame->payload->bytes(), random_payload(size)->bytes()));
  }
  sender.join();
  EXPECT_FALSE(right->receive(0.01));
}

TEST(Transport, frames_arrive_while_one_is_on_its_way_out) {
  auto [a, b] = make_socket_pair();
  const int peer = b.get();
  const TransportLimits limits{i64(1) << 24, 20};
  const auto left = make_socket_transport(std::move(a), "right", limits);
  const auto right = make_socket_transport(std::move(b), "left", limits);
  const i64 large = i64(1) << 23;  // more than a socket holds: it waits for the other's receive
  std::thread sender([&] {
    left->send(make_frame({FrameKind::value, 1, 0, 0}, random_payload(large)));
  });
  // The sender is in the middle of its frame when bytes are here.
  while (!is_readable(peer)) std::this_thread::yield();
  for (u64 k = 0; k < 3; ++k) {
    right->send(make_frame({FrameKind::ping, k, 0, 0}));
    const std::optional<Frame> frame = left->receive(20);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->info.request, k);
  }
  EXPECT_EQ(right->receive(20)->payload->bytes().size(), size_t(large));
  sender.join();
}

TEST(Transport, a_peer_that_is_gone_silent_or_mad_is_an_error) {
  const TransportLimits limits{100, 0.1};
  const Frame frame = make_frame({FrameKind::value, 0, 0, 0}, random_payload(50));
  const std::vector<std::byte> bytes = bytes_of(frame);
  {
    auto [a, b] = make_socket_pair();
    const auto left = make_socket_transport(std::move(a), "right", limits);
    { const FileDescriptor closed = std::move(b); }
    EXPECT_NE(error_of([&] { left->receive(1); }).find("right: is gone"), std::string::npos);
    EXPECT_NE(error_of([&] { left->send(frame); }), "");
  }
  {
    auto [a, b] = make_socket_pair();
    const auto left = make_socket_transport(std::move(a), "right", limits);
    ASSERT_EQ(::send(b.get(), bytes.data(), 70, 0), 70);
    EXPECT_NE(error_of([&] { left->receive(1); }).find("in the middle of a frame"),
              std::string::npos);
  }
  {
    auto [a, b] = make_socket_pair();
    const auto left = make_socket_transport(std::move(a), "right", limits);
    const std::string noise(64, 'x');
    ASSERT_EQ(::send(b.get(), noise.data(), noise.size(), 0), 64);
    EXPECT_NE(error_of([&] { left->receive(1); }).find("expected a frame"), std::string::npos);
  }
  {
    auto [a, b] = make_socket_pair();
    const auto left = make_socket_transport(std::move(a), "right", limits);
    const Frame large = make_frame({FrameKind::value, 0, 0, 0}, random_payload(i64(1) << 22));
    EXPECT_NE(error_of([&] { left->send(large); }).find("took nothing"), std::string::npos);
    EXPECT_NE(error_of([&] { left->send(frame); }).find("broke off"), std::string::npos);
  }
}

TEST(Transport, threads_of_one_process_hand_over_frames_without_copying) {
  auto [left, right] = make_local_transports("left", "right");
  const Frame frame = make_frame({FrameKind::value, 9, 0, 0}, in_pieces(random_payload(1000)));
  left->send(frame);
  left->send(make_frame({FrameKind::ping, 0, 0, 0}));
  EXPECT_EQ(right->receive(5)->payload, frame.payload);
  EXPECT_FALSE(left->receive(0.01));
  left.reset();
  EXPECT_EQ(right->receive(5)->info.kind, FrameKind::ping);
  EXPECT_NE(error_of([&, &end = right] { end->receive(5); }).find("left: is gone"),
            std::string::npos);
  EXPECT_NE(error_of([&, &end = right] { end->send(frame); }).find("left: is gone"),
            std::string::npos);
}

/// Sends the bytes from another thread, then closes; out: the error of who receives.
std::string error_of_receiving(std::span<const std::byte> bytes, i64 max_payload) {
  auto [a, b] = make_socket_pair();
  const auto left = make_socket_transport(std::move(a), "right", {max_payload, 20});
  std::thread sender([bytes, end = std::move(b)]() mutable {
    for (auto rest = bytes; !rest.empty();) {
      const ssize_t sent = ::send(end.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;  // the receiver has refused it
      rest = rest.subspan(size_t(sent));
    }
    end = FileDescriptor();
  });
  const std::string error = error_of([&] { left->receive(20); });
  EXPECT_NE(error_of([&] { left->receive(20); }).find("broke off"), std::string::npos);
  sender.join();
  return error;
}

TEST(Transport, a_large_payload_that_is_cut_off_or_damaged_is_an_error) {
  const i64 large = i64(1) << 24;
  std::vector<std::byte> bytes =
      bytes_of(make_frame({FrameKind::value, 0, 0, 0}, random_payload(large)));
  for (size_t part : {bytes.size() / 2, bytes.size() - 1})
    EXPECT_NE(error_of_receiving(std::span(bytes).first(part), large).find("right: is gone"),
              std::string::npos);
  for (size_t at : {size_t(kFrameHeaderBytes), bytes.size() / 2, bytes.size() - 1}) {
    bytes[at] ^= std::byte(1);
    EXPECT_NE(error_of_receiving(bytes, large).find("checksum of a frame does not match"),
              std::string::npos);
    bytes[at] ^= std::byte(1);
  }
}

}  // namespace
}  // namespace sinter::serve
