/* SPDX-License-Identifier: MIT */
/* lwipopts.h - lwIP as a TCP engine and nothing else */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/* The core has a tcp.c of its own, which begins with tcp_init() too. */
#define tcp_init lwip_tcp_init

/* One thread, no sockets, our own timers. */
#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET          0
#define LWIP_NETCONN         0
#define LWIP_TIMERS          0
#define LWIP_STATS           0

/* The core does IP, ICMP, UDP and DNS. */
#define LWIP_IPV4                       1
#define LWIP_IPV6                       1
#define LWIP_TCP                        1
#define LWIP_UDP                        0
#define LWIP_RAW                        0
#define LWIP_DNS                        0
#define LWIP_ARP                        0
#define LWIP_ETHERNET                   0
#define LWIP_ICMP                       0
#define LWIP_ICMP6                      0
#define LWIP_IGMP                       0
#define LWIP_DHCP                       0
#define LWIP_AUTOIP                     0
#define LWIP_IPV6_MLD                   0
#define LWIP_IPV6_FRAG                  0
#define LWIP_IPV6_REASS                 0
#define LWIP_IPV6_AUTOCONFIG            0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT   0
#define LWIP_IPV6_DHCP6                 0
#define LWIP_IPV6_SCOPES                0
#define LWIP_ND6_QUEUEING               0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0
#define IP_FORWARD                      0
#define IP_REASSEMBLY                   0
#define IP_FRAG                         0

/* Memory comes from the core's pools (pool.h), so that the packet path never
 * meets malloc; the core's limits are on flows. */
#include <stddef.h>
void *pool_malloc(size_t size);
void pool_free(void *p);
void *stack_calloc(size_t n, size_t size);
#define MEM_LIBC_MALLOC          1
#define MEM_CUSTOM_ALLOCATOR     1
#define MEM_CUSTOM_MALLOC        pool_malloc
#define MEM_CUSTOM_CALLOC        stack_calloc
#define MEM_CUSTOM_FREE          pool_free
#define mem_clib_malloc          pool_malloc
#define mem_clib_calloc          stack_calloc
#define mem_clib_free            pool_free
#define MEMP_MEM_MALLOC          1
#define MEM_ALIGNMENT            16
#define LWIP_SUPPORT_CUSTOM_PBUF 1

/* The largest windows there can be; stack.c sets those in force for each
 * connection.  TCP_MSS only bounds: what is offered follows from the MTU, and
 * what is sent is up to 64 KiB where the device cuts it (offload). */
#define LWIP_WND_SCALE                 1
#define TCP_RCV_SCALE                  6
#define TCP_WND                        (0xFFFFu << TCP_RCV_SCALE)
#define TCP_MSS                        65000
#define TCP_SND_BUF                    (4 * 1024 * 1024)
#define TCP_SND_QUEUELEN               16384
#define TCP_SNDLOWAT                   1
#define TCP_SNDQUEUELOWAT              1
#define TCP_WND_UPDATE_THRESHOLD       1
#define TCP_OVERSIZE                   0
#define TCP_QUEUE_OOSEQ                1
#define TCP_OOSEQ_MAX_PBUFS            128
#define TCP_LISTEN_BACKLOG             0
#define TCP_TMR_INTERVAL               100
#define TCP_MSL                        120000 /* RFC 9293 3.4.2; see below */
#define LWIP_TCP_SACK_OUT              1
#define LWIP_TCP_TIMESTAMPS            0
#define LWIP_TCP_KEEPALIVE             0
#define LWIP_NETIF_TX_SINGLE_PBUF      0
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* Twice TCP_MSL is how long lwIP keeps what both ends have closed and the app
 * has not acknowledged: as long as the transitory time-out of RFC 5382, REQ-5.
 * (There is no TIME_WAIT here.) */

/* Checked and made by the core, which knows what the device does. */
#define CHECKSUM_CHECK_IP  0
#define CHECKSUM_CHECK_TCP 0
#define CHECKSUM_GEN_IP    0
#define CHECKSUM_GEN_TCP   0

#endif
