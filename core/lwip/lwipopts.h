/* SPDX-License-Identifier: MIT */
/* lwipopts.h - lwIP as a TCP engine and nothing else */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

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

/* Memory is the heap's; the core's limits are on flows. */
#define MEM_LIBC_MALLOC          1
#define MEMP_MEM_MALLOC          1
#define MEM_ALIGNMENT            8
#define LWIP_SUPPORT_CUSTOM_PBUF 1

/* Windows in MiB: a segment of the app is up to 64 KiB of offload. */
#define LWIP_WND_SCALE                 1
#define TCP_RCV_SCALE                  6
#define TCP_WND                        (0xFFFFu << TCP_RCV_SCALE)
#define TCP_MSS                        1460
#define TCP_SND_BUF                    (4 * 1024 * 1024)
#define TCP_SND_QUEUELEN               8192
#define TCP_OVERSIZE                   0
#define TCP_QUEUE_OOSEQ                1
#define TCP_LISTEN_BACKLOG             0
#define TCP_MSL                        1000
#define LWIP_TCP_SACK_OUT              1
#define LWIP_NETIF_TX_SINGLE_PBUF      0
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* Checked and made by the core, which knows what the device does. */
#define CHECKSUM_CHECK_IP  0
#define CHECKSUM_CHECK_TCP 0
#define CHECKSUM_GEN_IP    0
#define CHECKSUM_GEN_TCP   0

#endif
