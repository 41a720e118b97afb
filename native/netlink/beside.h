#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "netlink/socket.h"

namespace earshot::netlink {

/**
 * Hands what comes to another sink; once it is much, on a thread of its own, so that the kernel is
 * asked for the next of it meanwhile: it makes a dump while it is waited for (netlink_recvmsg). The
 * other sink is used by one thread at a time, and after finish() by none.
 */
class Beside : public Sink {
 public:
  explicit Beside(Sink& sink) : sink_(sink) {}
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() override;

  void begin() override;
  void message(const Message& message) override;
  /** Returns when the other sink has had all, or throws what it threw. */
  void finish();

 private:
  bool start();
  void run();
  void end(bool discard);

  Sink& sink_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  /** Under the mutex: whole messages that wait, whether more can come, and what was thrown. */
  std::deque<std::vector<uint8_t>> waiting_;
  bool ended_ = false;
  std::exception_ptr thrown_;
};

}  // namespace earshot::netlink
