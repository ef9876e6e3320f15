"""What real boards show of themselves, in `planting`'s tables: the files that are read, and what their tools print."""
# ruff: noqa: E501 - a file is a line

from __future__ import annotations

_LINUX = r"""
/proc/loadavg         0.12 0.34 0.56 1/234 5678
/proc/sys/kernel/osrelease  6.12.25+rpt-rpi-v8
/proc/stat            cpu  100 0 50 800 10 0 5 0 0 0\ncpu0 100 0 50 800 10 0 5 0 0 0
"""

PI4 = (
    _LINUX
    + r"""
/proc/device-tree/model          Raspberry Pi 4 Model B Rev 1.4
/proc/device-tree/compatible     raspberrypi,4-model-b\0brcm,bcm2711
/proc/device-tree/serial-number  10000000abcdef12
/proc/cpuinfo     processor\t: 0\nBogoMIPS\t: 108.00\n\nSerial\t\t: 10000000abcdef12\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4
/proc/meminfo     MemTotal:        3884356 kB\nMemAvailable:    3312345 kB\nSwapTotal:        524284 kB\nSwapFree:         393212 kB
/proc/mounts      /dev/mmcblk0p2 / ext4 rw,noatime 0 0\n/dev/sda1 /media/pi/CAMERA\0407 exfat ro,nosuid 0 0
/etc/os-release   PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"
/sys/class/thermal/thermal_zone0/type                 cpu-thermal
/sys/class/thermal/thermal_zone0/temp                 45277
/sys/class/thermal/thermal_zone0/trip_point_0_temp    110000
/sys/class/thermal/thermal_zone0/trip_point_0_type    critical
/sys/class/hwmon/hwmon0/name                          cpu_thermal
/sys/class/hwmon/hwmon0/temp1_input                   45277
/sys/class/hwmon/hwmon1/name                          rpi_volt
/sys/class/hwmon/hwmon1/in0_lcrit_alarm               0
/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq          600000
/sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq          600000
/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq          1800000
/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq          1800000
/sys/devices/system/cpu/cpufreq/policy0/scaling_governor          ondemand
/sys/devices/system/cpu/cpufreq/policy0/stats/time_in_state       600000 9000\n700000 0\n1500000 100\n1800000 900
/sys/devices/platform/soc/soc:firmware/get_throttled              0
/sys/devices/system/clocksource/clocksource0/current_clocksource  arch_sys_counter
"""
)
PI4_TOOLS = {
    "vcgencmd get_throttled": "throttled=0x50005",
    "vcgencmd measure_temp": "temp=45.2'C",
    "vcgencmd measure_clock arm": "frequency(48)=600117184",
    # The firmware of a Pi 4 has no such command; the tool says so and ends well.
    "vcgencmd pmic_read_adc": 'error=1 error_msg="Command not registered"',
    "vcgencmd bootloader_version": (
        "2023/01/11 17:40:52\nversion 8ba17717fbcedd4c3b6d4bce7e50c7af4155cba9 (release)\ntimestamp 1673458852"
    ),
}

PI5 = (
    _LINUX
    + r"""
/proc/device-tree/model          Raspberry Pi 5 Model B Rev 1.0
/proc/device-tree/compatible     raspberrypi,5-model-b\0brcm,bcm2712
/proc/device-tree/serial-number  3b1f2a7c9d0e4f56
/proc/device-tree/chosen/bootloader/version   26826259c3bcb1a6d8a4ea2d0a9c5b3f3a0d5f1e
/proc/cpuinfo     processor\t: 0\nBogoMIPS\t: 108.00\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0
/proc/meminfo     MemTotal:        8256160 kB\nMemAvailable:    7312345 kB\nSwapTotal:        524272 kB\nSwapFree:         524272 kB
/proc/mounts      /dev/nvme0n1p2 / ext4 rw,noatime 0 0
/etc/os-release   PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
/sys/class/thermal/thermal_zone0/type                 cpu-thermal
/sys/class/thermal/thermal_zone0/temp                 52700
/sys/class/thermal/thermal_zone0/trip_point_0_temp    110000
/sys/class/thermal/thermal_zone0/trip_point_0_type    critical
/sys/class/thermal/thermal_zone0/trip_point_1_temp    50000
/sys/class/thermal/thermal_zone0/trip_point_1_type    active
/sys/class/thermal/cooling_device0/type               pwm-fan
/sys/class/thermal/cooling_device0/cur_state          1
/sys/class/thermal/cooling_device0/max_state          4
/sys/class/hwmon/hwmon1/name                          rp1_adc
/sys/class/hwmon/hwmon1/in1_input                     1489
/sys/class/hwmon/hwmon2/name                          pwmfan
/sys/class/hwmon/hwmon2/fan1_input                    2450
/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq          2400000
/sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq          1500000
/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq          2400000
/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq          2400000
/sys/devices/system/cpu/cpufreq/policy0/scaling_governor          performance
/sys/devices/system/cpu/cpufreq/policy0/stats/time_in_state       1500000 100\n2400000 5000
"""
)
PMIC_TEXT = """\
 3V7_WL_SW_A current(0)=0.00195190A
   3V3_SYS_A current(1)=0.05953345A
   1V8_SYS_A current(2)=0.17761290A
  DDR_VDD2_A current(3)=0.02244685A
  DDR_VDDQ_A current(4)=0.00000000A
   1V1_SYS_A current(5)=0.18444450A
    0V8_SW_A current(6)=0.33670280A
  VDD_CORE_A current(7)=0.84564000A
   3V3_DAC_A current(17)=0.00000000A
   3V3_ADC_A current(18)=0.00000000A
   0V8_AON_A current(16)=0.00366230A
      HDMI_A current(22)=0.01171880A
 3V7_WL_SW_V volt(8)=3.70501500V
   3V3_SYS_V volt(9)=3.31029200V
   1V8_SYS_V volt(10)=1.79780500V
  DDR_VDD2_V volt(11)=1.10988400V
  DDR_VDDQ_V volt(12)=0.60805320V
   1V1_SYS_V volt(13)=1.10402400V
    0V8_SW_V volt(14)=0.80402620V
  VDD_CORE_V volt(15)=0.72049640V
   3V3_DAC_V volt(20)=3.30790400V
   3V3_ADC_V volt(21)=3.30699000V
   0V8_AON_V volt(19)=0.79684260V
      HDMI_V volt(23)=5.08488000V
     EXT5V_V volt(24)=5.08196000V
      BATT_V volt(25)=0.00000000V"""
PI5_TOOLS = {
    "vcgencmd get_throttled": "throttled=0x0",
    "vcgencmd measure_temp": "temp=52.7'C",
    "vcgencmd measure_clock arm": "frequency(0)=2400033024",
    "vcgencmd pmic_read_adc": PMIC_TEXT,
}

ORIN = (
    _LINUX
    + r"""
/proc/device-tree/model          NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super
/proc/device-tree/compatible     nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234
/proc/device-tree/serial-number  1424923012345
/proc/cpuinfo     processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nBogoMIPS\t: 62.50
/proc/meminfo     MemTotal:        7800480 kB\nMemAvailable:    5312345 kB\nSwapTotal:       3900224 kB\nSwapFree:        3900224 kB
/proc/mounts      /dev/nvme0n1p1 / ext4 rw,relatime 0 0
/proc/sys/kernel/osrelease  5.15.148-tegra
/etc/os-release   PRETTY_NAME="Ubuntu 22.04.5 LTS"
/etc/nv_tegra_release  # R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025
/var/lib/dpkg/status   Package: nvidia-jetpack-dev\nStatus: install ok installed\nVersion: 9.9\n\nPackage: nvidia-jetpack\nStatus: install ok installed\nSection: metapackages\nVersion: 6.2+b77\n\nPackage: zlib1g\nVersion: 1.2
/usr/local/cuda/version.json  {"cuda" : {"name" : "CUDA SDK", "version" : "12.6.11"}}
/var/lib/nvpmodel/status      pmode:0001
/etc/nvpmodel.conf            < POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n< POWER_MODEL ID=3 NAME=7W >\n< PM_CONFIG DEFAULT=1 >
/sys/class/dmi/id/sys_vendor         NVIDIA
/sys/class/dmi/id/product_name       NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super
/sys/class/dmi/id/bios_version       36.4.3-gcid-38968081
/sys/devices/soc0/family             Tegra
/sys/devices/soc0/soc_id             35
/sys/class/thermal/thermal_zone0/type    cpu-thermal
/sys/class/thermal/thermal_zone0/temp    48156
/sys/class/thermal/thermal_zone1/type    gpu-thermal
/sys/class/thermal/thermal_zone1/temp    47031
/sys/class/thermal/thermal_zone2/type    cv0-thermal
/sys/class/thermal/thermal_zone8/type    tj-thermal
/sys/class/thermal/thermal_zone8/temp    48156
/sys/class/thermal/thermal_zone8/trip_point_0_temp   99000
/sys/class/thermal/thermal_zone8/trip_point_0_type   passive
/sys/class/thermal/thermal_zone8/trip_point_1_temp   104500
/sys/class/thermal/thermal_zone8/trip_point_1_type   critical
/sys/class/thermal/cooling_device0/type       pwm-fan
/sys/class/thermal/cooling_device0/cur_state  2
/sys/class/thermal/cooling_device0/max_state  3
/sys/class/thermal/cooling_device1/type       cpufreq-cpu0
/sys/class/thermal/cooling_device1/cur_state  0
/sys/class/thermal/cooling_device1/max_state  21
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/name           ina3221
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_label      VDD_IN
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_input      4960
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr1_input    1240
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in2_label      VDD_CPU_GPU_CV
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in2_input      4952
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr2_input    120
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in3_label      VDD_SOC
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in3_input      4952
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr3_input    288
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in4_input      6200
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr4_input    1648
/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in7_label      sum of shunt voltages
/sys/class/hwmon/hwmon1              -> ../../bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1
/sys/class/hwmon/hwmon2/name         soctherm_oc
/sys/class/hwmon/hwmon2/oc1_event_cnt   0
/sys/class/hwmon/hwmon2/oc3_event_cnt   4
/sys/class/devfreq/17000000.gpu/cur_freq   306000000
/sys/class/devfreq/17000000.gpu/min_freq   306000000
/sys/class/devfreq/17000000.gpu/max_freq   918000000
/sys/class/devfreq/15340000.vic/cur_freq   115200000
/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq       729600
/sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq       729600
/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq       1344000
/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq       1728000
/sys/devices/system/cpu/cpufreq/policy0/scaling_governor       schedutil
/sys/devices/system/cpu/cpufreq/policy0/stats/time_in_state    729600 1000\n1344000 2000\n1728000 0
/sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq       729600
/sys/devices/system/cpu/cpufreq/policy4/scaling_min_freq       729600
/sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq       1344000
/sys/devices/system/cpu/cpufreq/policy4/cpuinfo_max_freq       1728000
/sys/devices/system/cpu/cpufreq/policy4/scaling_governor       schedutil
/sys/devices/system/cpu/cpufreq/policy4/stats/time_in_state    729600 3000\n1344000 10\n1728000 0
"""
)
ORIN_TOOLS = {
    "nvpmodel -q": "NV Power Mode: 25W\n1",
    # The driver's tool is there, but knows nothing of this GPU.
    "nvidia-smi --query-gpu=temperature.gpu,power.draw,clocks.sm --format=csv,noheader,nounits": "[N/A], [N/A], [N/A]",
    "nvidia-smi --query-gpu=driver_version --format=csv,noheader": "540.4.0",
}

NANO_JETPACK4 = r"""
/proc/device-tree/model       NVIDIA Jetson Nano Developer Kit
/proc/device-tree/compatible  nvidia,p3449-0000-b00+p3448-0000-b00\0nvidia,jetson-nano\0nvidia,tegra210
/etc/nv_tegra_release         # R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64
/usr/local/cuda/version.txt   CUDA Version 10.2.300
/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0        POM_5V_IN
/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input    2134
/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_1        POM_5V_GPU
/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power1_input    41
/sys/bus/i2c/drivers/ina3221x/6-0040/iio_device                     -> iio:device0
/sys/class/devfreq/57000000.gpu/cur_freq                            76800000
"""

LAPTOP = r"""
/proc/loadavg         0.50 0.40 0.30 2/900 1234
/proc/sys/kernel/osrelease  6.1.0-30-amd64
/proc/stat            cpu  100 0 50 800 10 0 5 0 0 0
/proc/cpuinfo         processor\t: 0\nmodel name\t: 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz\nflags\t\t: fpu vme avx512_vnni
/proc/meminfo         MemTotal:       16059220 kB\nMemAvailable:   11312345 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB
/proc/mounts          /dev/nvme0n1p2 / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0
/etc/os-release       PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
/sys/class/dmi/id/sys_vendor      LENOVO
/sys/class/dmi/id/product_name    20XW0026US
/sys/class/dmi/id/bios_version    N32ET75W (1.51 )
/sys/firmware/acpi/platform_profile   balanced
/sys/class/thermal/thermal_zone0/type   acpitz
/sys/class/thermal/thermal_zone0/temp   51000
/sys/class/thermal/thermal_zone1/type   x86_pkg_temp
/sys/class/thermal/thermal_zone1/temp   55000
/sys/class/thermal/thermal_zone1/trip_point_0_temp   0
/sys/class/thermal/thermal_zone1/trip_point_0_type   passive
/sys/class/hwmon/hwmon0/name            coretemp
/sys/class/hwmon/hwmon0/temp1_label     Package id 0
/sys/class/hwmon/hwmon0/temp1_input     55000
/sys/class/hwmon/hwmon1/name            BAT0
/sys/class/hwmon/hwmon1/device/type     Battery
/sys/class/hwmon/hwmon1/power1_input    9120000
/sys/class/hwmon/hwmon2/name            amdgpu
/sys/class/hwmon/hwmon2/power1_label    PPT
/sys/class/hwmon/hwmon2/power1_average  11023000
/sys/class/power_supply/AC/type         Mains
/sys/class/power_supply/AC/online       0
/sys/class/power_supply/BAT0/type       Battery
/sys/class/power_supply/BAT0/status     Discharging
/sys/class/powercap/intel-rapl:0/name                    package-0
/sys/class/powercap/intel-rapl:0/energy_uj               262143000000
/sys/class/powercap/intel-rapl:0/max_energy_range_uj     262143328850
/sys/class/powercap/intel-rapl:0:0/name                  core
/sys/class/powercap/intel-rapl:0:0/energy_uj             5000000
/sys/class/powercap/intel-rapl:0:0/max_energy_range_uj   262143328850
/sys/class/powercap/intel-rapl:1/name                    psys
/sys/class/powercap/intel-rapl:1/energy_uj               7000000
/sys/class/powercap/intel-rapl:1/max_energy_range_uj     262143328850
/sys/class/powercap/intel-rapl-mmio:0/name               package-0
/sys/class/powercap/intel-rapl-mmio:0/energy_uj          262143000000
/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq    2800000
/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq    4700000
/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq    4700000
/sys/devices/system/cpu/cpufreq/policy0/scaling_governor    powersave
/sys/devices/system/cpu/cpufreq/policy10/scaling_cur_freq   1000000
/sys/devices/system/cpu/cpufreq/policy10/scaling_governor   powersave
/sys/devices/system/cpu/cpufreq/policy2/scaling_cur_freq    2000000
/sys/devices/system/cpu/cpufreq/policy2/scaling_governor    powersave
/sys/devices/system/cpu/intel_pstate/no_turbo               0
/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count      3
/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count   9
/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count      2
/sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count   9
/sys/devices/system/clocksource/clocksource0/current_clocksource       hpet
/sys/devices/system/clocksource/clocksource0/available_clocksource     hpet acpi_pm tsc
"""

GPU_TOOLS = {
    "nvidia-smi --query-gpu=temperature.gpu,power.draw,clocks.sm --format=csv,noheader,nounits": (
        "41, 62.13, 1980\n39, [N/A], 345"
    ),
    "nvidia-smi --query-gpu=name --format=csv,noheader": "NVIDIA GeForce RTX 3060\nNVIDIA GeForce RTX 3060",
    "nvidia-smi --query-gpu=driver_version --format=csv,noheader": "550.54.14\n550.54.14",
    "nvidia-smi": "| NVIDIA-SMI 550.54.14   Driver Version: 550.54.14   CUDA Version: 12.4  |",
}

BARE_VM = r"""
/proc/cpuinfo   processor\t: 0\nmodel name\t: Intel Xeon Processor\nflags\t\t: fpu hypervisor avx2
/proc/mounts    /dev/vda / ext4 rw 0 0
"""
