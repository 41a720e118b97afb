#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "netlink/socket.h"

namespace earshot::netlink {

/**
 * Hands what comes to another sink; once it is much, on a thread of its own, so that the kernel is
 * asked for the next of it meanwhile: it makes a dump while it is waited for (netlink_recvmsg). The
 * other sink is used by one thread at a time, and after finish() by none. Where it is slower than
 * the kernel, that waits.
 */
class Beside : public Sink {
 public:
  explicit Beside(Sink& sink) : sink_(sink) {}
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() override;

  void begin() override;
  void message(const Message& message) override;
  void datagram(size_t length, Buffer& buffer) override;
  /** Returns when the other sink has had all, or throws what it threw. */
  void finish();

 private:
  /** A datagram, and the messages in it. */
  struct Datagram {
    Buffer buffer;
    std::vector<Message> messages;
  };

  bool start();
  void run();
  void handOver(const std::vector<Datagram>& datagrams);
  void end(bool discard);

  Sink& sink_;
  /** What came before there was a thread, in bytes. */
  size_t came_ = 0;
  std::vector<Message> messages_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  /** Under the mutex: what waits, what is done with, can more come, and what was thrown. */
  std::vector<Datagram> waiting_;
  std::vector<Datagram> spare_;
  bool ended_ = false;
  std::exception_ptr thrown_;
};

}  // namespace earshot::netlink
